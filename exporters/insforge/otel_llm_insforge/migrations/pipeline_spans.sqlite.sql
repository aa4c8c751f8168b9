-- One row per agent, LLM call or tool of a run. Times are ISO 8601 in UTC with six decimals, which compare as text.
CREATE TABLE pipeline_spans (
    id INTEGER PRIMARY KEY,
    span_id TEXT NOT NULL UNIQUE,
    trace_id TEXT NOT NULL,
    parent_span_id TEXT,
    span_name TEXT NOT NULL CHECK (length(span_name) <= 100),
    start_time TEXT NOT NULL,
    end_time TEXT NOT NULL,
    duration_ms NUMERIC NOT NULL,
    success BOOLEAN NOT NULL DEFAULT true,
    error TEXT,
    input_data TEXT,
    output_data TEXT,
    created_at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now'))
);
CREATE INDEX idx_pipeline_spans_trace_id ON pipeline_spans (trace_id);
CREATE INDEX idx_pipeline_spans_created_at ON pipeline_spans (created_at DESC);
