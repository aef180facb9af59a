"""Draws the words of receipts: shops, goods, sums and courtesies, in Korean or English."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def _split(words: str) -> tuple[str, ...]:
    return tuple(words.split("|"))


@dataclass(frozen=True)
class Vocabulary:
    """Holds the words of one language."""

    shops: tuple[str, ...]
    goods: tuple[str, ...]
    places: tuple[str, ...]
    thanks: tuple[str, ...]
    header: dict[str, str]
    phone: str
    tax_number: str
    dates: tuple[str, ...]
    net_and_tax: tuple[str, str]
    totals: tuple[str, ...]
    signs: tuple[str, ...]
    payment: tuple[tuple[str, str], ...]


KOREAN = Vocabulary(
    shops=_split(
        "행복마트|온누리약국|초록빛카페|한강분식|새벽빵집|동네서점|우리정육점"
        "|바다횟집|달빛식당|푸른문구|미소편의점|서울김밥|고향손칼국수|하늘꽃집"
        "|대박치킨|늘봄화원|진주냉면|별다방"
    ),
    goods=_split(
        "아메리카노|카페라떼|바닐라라떼|김밥|참치김밥|떡볶이|순대|라면|우유1L"
        "|두부|콩나물|계란30구|삼겹살600g|사과5입|바나나|생수2L|신문|볼펜|공책"
        "|물티슈|치즈케이크|크로와상|식빵|단팥빵|소보로|물냉면|비빔밥|된장찌개"
        "|김치찌개|제육볶음|공기밥|콜라|사이다|맥주500|소주|종량제봉투20L"
        "|건전지AA|비누|샴푸|치약|칫솔|휴지30롤|감기약|밴드|오렌지주스"
    ),
    places=_split(
        "서울시 마포구 양화로|부산시 해운대구 중동로|대전시 유성구 대학로"
        "|광주시 동구 충장로|인천시 연수구 송도로|경기도 성남시 판교로"
        "|제주시 연동 노형로"
    ),
    thanks=_split(
        "감사합니다|또 오세요|교환/환불은 영수증 지참 7일 이내"
        "|행복한 하루 되세요|고객센터 1588-0000|포인트가 적립되었습니다"
        "|영업시간 09:00~22:00"
    ),
    header={"name": "상품명", "price": "단가", "count": "수량", "amount": "금액"},
    phone="전화",
    tax_number="사업자",
    dates=("{y}-{m:02}-{d:02}", "{y}/{m:02}/{d:02}", "{y}년 {m}월 {d}일"),
    net_and_tax=("과세물품", "부가세"),
    totals=("합계", "총 금액", "받을금액"),
    signs=("{}", "₩{}", "{}원"),
    payment=(("카드번호", "####-****-****-####"), ("승인번호", "########"), ("할부", "일시불")),
)

ENGLISH = Vocabulary(
    shops=_split(
        "FRESH MART|Corner Bakery|Blue Door Cafe|GREEN GROCER|City Books|Noodle House|The Daily Bean"
        "|HARBOUR FISH|Sunny Pharmacy|Oak & Pine|TOOL BARN|Lucky 8 Diner|MOON DELI|Book Nook"
    ),
    goods=_split(
        "Americano|Caffe latte|Croissant|Bagel w/ cheese|Milk 2L|Whole wheat bread|Eggs dozen|Bananas kg"
        "|Apples|Tomato soup|Chicken wrap|Veg burger|French fries|Cola 330ml|Sparkling water|Green tea"
        "|Rice 5kg|Olive oil|Pasta 500g|Notebook A5|Ball pen|Batteries AA|Hand soap|Shampoo|Toothpaste"
        "|Paper towels|Orange juice|Cheddar|Ice cream|Dark chocolate|Coffee beans|Salad bowl"
    ),
    places=_split("12 Harbour St|408 Oak Avenue|7 Mill Lane|155 Station Rd|Unit 3, West Mall|90 Queen St"),
    thanks=_split(
        "THANK YOU|Please come again|Returns within 14 days|Have a nice day|Keep this receipt"
        "|You earned points|Open 9am - 10pm"
    ),
    header={"name": "Item", "price": "Price", "count": "Qty", "amount": "Amount"},
    phone="TEL",
    tax_number="VAT",
    dates=("{d:02}/{m:02}/{y}", "{y}-{m:02}-{d:02}", "{m:02}.{d:02}.{y}"),
    net_and_tax=("Subtotal", "Tax"),
    totals=("TOTAL", "Total due", "AMOUNT"),
    signs=("{}", "${}", "€{}"),
    payment=(("CARD", "####-****-****-####"), ("Auth", "######"), ("Cashier", "No. ##")),
)


@dataclass(frozen=True)
class Item:
    """Holds a row of a receipt; the price is of one piece, in won or cents."""

    name: str
    price: int
    count: int
    code: str

    @property
    def amount(self) -> int:
        """Returns the price of all pieces."""
        return self.price * self.count


@dataclass(frozen=True)
class Words:
    """Holds all that a receipt says but the sums, which depend on how many items there is room for."""

    vocabulary: Vocabulary
    shop: str
    about: tuple[str, ...]
    when: tuple[str, str, str]  # date, time, register
    number: str
    items: tuple[Item, ...]
    cents: bool
    shown_sums: int  # how many of net and tax are shown, 0 to 2
    total_label: str
    sign: str
    payment: tuple[tuple[str, str], ...]
    thanks: tuple[str, ...]

    def money(self, amount: int) -> str:
        """Writes an amount as 12,000 or 120.00."""
        return f"{amount / 100:,.2f}" if self.cents else f"{amount:,}"

    def sums(self, items: Sequence[Item]) -> tuple[tuple[str, str], ...]:
        """Returns the rows (label, amount) above the total of `items`."""
        total = sum(item.amount for item in items)
        tax = total // 11
        rows = zip(self.vocabulary.net_and_tax, (self.money(total - tax), self.money(tax)), strict=True)
        return tuple(rows)[: self.shown_sums]

    def total(self, items: Sequence[Item]) -> tuple[str, str]:
        """Returns (label, amount) of the total of `items`."""
        return self.total_label, self.sign.format(self.money(sum(item.amount for item in items)))


def draw_words(rng: np.random.Generator) -> Words:
    """Draws a receipt in Korean (two of three) or English."""
    korean = rng.random() < 0.67
    vocabulary = KOREAN if korean else ENGLISH
    date = {"y": int(rng.integers(2015, 2027)), "m": int(rng.integers(1, 13)), "d": int(rng.integers(1, 29))}
    time = f"{rng.integers(7, 23):02}:{rng.integers(60):02}" + (f":{rng.integers(60):02}" if rng.random() < 0.5 else "")
    about = (
        f"{_one(rng, vocabulary.places)}" + (f" {rng.integers(1, 300)}" if korean else ""),
        _dial(rng, f"{vocabulary.phone} ###-####-####"),
        _dial(rng, f"{vocabulary.tax_number} ###-##-#####"),
    )
    return Words(
        vocabulary=vocabulary,
        shop=_one(rng, vocabulary.shops),
        about=_some(rng, about, int(rng.integers(0, 3))),
        when=(_one(rng, vocabulary.dates).format(**date), time, _dial(rng, "POS ##")),
        number=_dial(rng, "####-####-###"),
        items=tuple(
            Item(
                name=name,
                price=int(rng.integers(1, 250)) * 100 if korean else int(rng.integers(50, 4000)),
                count=int(rng.choice((1, 1, 1, 2, 3, 10))),
                code=_dial(rng, "#############"),
            )
            for name in _some(rng, vocabulary.goods, int(rng.integers(3, 17)))
        ),
        cents=not korean,
        shown_sums=int(rng.integers(0, 3)),
        total_label=_one(rng, vocabulary.totals),
        sign=_one(rng, vocabulary.signs),
        payment=tuple((label, _dial(rng, text)) for label, text in vocabulary.payment[: int(rng.integers(0, 4))]),
        thanks=_some(rng, vocabulary.thanks, int(rng.integers(0, 4))),
    )


def _one(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def _some(rng: np.random.Generator, words: Sequence[str], count: int) -> tuple[str, ...]:
    return tuple(words[index] for index in rng.permutation(len(words))[:count])


def _dial(rng: np.random.Generator, pattern: str) -> str:
    """Returns the pattern with a digit for each #."""
    return "".join(str(rng.integers(10)) if sign == "#" else sign for sign in pattern)
