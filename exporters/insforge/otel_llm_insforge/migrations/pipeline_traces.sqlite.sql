-- One row per pipeline run. Times are ISO 8601 in UTC with six decimals, which compare as text.
CREATE TABLE pipeline_traces (
    id INTEGER PRIMARY KEY,
    trace_id TEXT NOT NULL UNIQUE,
    pipeline_name TEXT NOT NULL CHECK (length(pipeline_name) <= 50),
    telegram_id INTEGER NOT NULL,
    user_id INTEGER,
    start_time TEXT NOT NULL,
    end_time TEXT NOT NULL,
    duration_ms NUMERIC NOT NULL,
    success BOOLEAN NOT NULL DEFAULT true,
    error TEXT,
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now'))
);
CREATE INDEX idx_pipeline_traces_telegram_id_created_at ON pipeline_traces (telegram_id, created_at DESC);
CREATE INDEX idx_pipeline_traces_pipeline_name_created_at ON pipeline_traces (pipeline_name, created_at DESC);
CREATE INDEX idx_pipeline_traces_created_at ON pipeline_traces (created_at DESC);
