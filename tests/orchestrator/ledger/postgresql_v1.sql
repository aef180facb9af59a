-- The tables of a ledger of version 1.

CREATE TABLE nightsweep_schema (
    version INTEGER NOT NULL
);

CREATE TABLE studies (
    id SERIAL NOT NULL,
    uid TEXT NOT NULL,
    name TEXT NOT NULL,
    raw TEXT NOT NULL,
    metric TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('max', 'min')),
    status TEXT NOT NULL CHECK (status IN ('running', 'paused', 'finished', 'interrupted', 'failed')),
    reason TEXT,
    created DOUBLE PRECISION NOT NULL,
    facts TEXT NOT NULL,
    session_id INTEGER,
    mlflow_store TEXT,
    mlflow_sender TEXT,
    mlflow_seen TEXT,
    mlflow_experiment_id TEXT,
    mlflow_run_id TEXT,
    PRIMARY KEY (id),
    UNIQUE (uid),
    UNIQUE (name)
);

CREATE TABLE sessions (
    id SERIAL NOT NULL,
    study_id INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    host TEXT NOT NULL,
    process_start DOUBLE PRECISION,
    started DOUBLE PRECISION NOT NULL,
    beat DOUBLE PRECISION NOT NULL,
    ended DOUBLE PRECISION,
    end_reason TEXT,
    PRIMARY KEY (id),
    CHECK (beat >= started),
    FOREIGN KEY(study_id) REFERENCES studies (id)
);

CREATE INDEX ix_sessions_study_id ON sessions (study_id);

CREATE TABLE trials (
    id SERIAL NOT NULL,
    study_id INTEGER NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    config TEXT NOT NULL,
    config_digest TEXT NOT NULL,
    baseline TEXT,
    seed BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'paused', 'completed', 'pruned', 'failed')),
    reason TEXT,
    error TEXT,
    test TEXT,
    facts TEXT NOT NULL,
    attempts INTEGER NOT NULL CHECK (attempts >= 1),
    created DOUBLE PRECISION NOT NULL,
    ended DOUBLE PRECISION,
    revision INTEGER NOT NULL,
    mlflow_run_id TEXT,
    mlflow_unsure INTEGER NOT NULL CHECK (mlflow_unsure IN (0, 1)),
    mlflow_revision INTEGER NOT NULL,
    mlflow_status TEXT,
    PRIMARY KEY (id),
    UNIQUE (study_id, number),
    UNIQUE (study_id, config_digest, seed),
    FOREIGN KEY(study_id) REFERENCES studies (id)
);

CREATE TABLE attempts (
    trial_id INTEGER NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    from_epoch INTEGER NOT NULL CHECK (from_epoch >= 0),
    started DOUBLE PRECISION NOT NULL,
    ended DOUBLE PRECISION,
    outcome TEXT CHECK (outcome IN ('paused', 'completed', 'pruned', 'failed', 'interrupted')),
    PRIMARY KEY (trial_id, number),
    FOREIGN KEY(trial_id) REFERENCES trials (id)
);

CREATE TABLE reports (
    sequence BIGSERIAL NOT NULL,
    trial_id INTEGER NOT NULL,
    epoch INTEGER NOT NULL CHECK (epoch >= 1),
    metrics TEXT NOT NULL,
    seconds DOUBLE PRECISION NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    checkpoint INTEGER NOT NULL CHECK (checkpoint IN (0, 1)),
    revision INTEGER NOT NULL,
    PRIMARY KEY (sequence),
    UNIQUE (trial_id, epoch),
    FOREIGN KEY(trial_id) REFERENCES trials (id)
);
