-- Which model each agent uses, and how that came about. May be run again. Statements are paragraphs.

CREATE TABLE IF NOT EXISTS agent_model_config (
    id INTEGER PRIMARY KEY,
    agent_name TEXT UNIQUE NOT NULL,
    model_id TEXT NOT NULL,
    is_active BOOLEAN NOT NULL DEFAULT 1,
    set_by TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'))
);

CREATE TABLE IF NOT EXISTS agent_model_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    agent_name TEXT NOT NULL,
    old_model TEXT,
    new_model TEXT,
    set_by TEXT,
    at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now'))
);

CREATE INDEX IF NOT EXISTS idx_agent_model_config_active ON agent_model_config (agent_name) WHERE is_active;

CREATE INDEX IF NOT EXISTS idx_agent_model_history_agent ON agent_model_history (agent_name, id);

CREATE TRIGGER IF NOT EXISTS agent_model_config_inserted AFTER INSERT ON agent_model_config WHEN NEW.is_active
BEGIN
    INSERT INTO agent_model_history (agent_name, new_model, set_by) VALUES (NEW.agent_name, NEW.model_id, NEW.set_by);
END;

CREATE TRIGGER IF NOT EXISTS agent_model_config_updated AFTER UPDATE OF agent_name, model_id, is_active ON agent_model_config
WHEN NEW.agent_name = OLD.agent_name
BEGIN
    INSERT INTO agent_model_history (agent_name, old_model, new_model, set_by)
    SELECT NEW.agent_name, iif(OLD.is_active, OLD.model_id, NULL), iif(NEW.is_active, NEW.model_id, NULL), NEW.set_by
    WHERE iif(OLD.is_active, OLD.model_id, NULL) IS NOT iif(NEW.is_active, NEW.model_id, NULL);
    UPDATE agent_model_config SET updated_at = strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')
    WHERE id = NEW.id AND (NEW.model_id, NEW.is_active) IS NOT (OLD.model_id, OLD.is_active);
END;

CREATE TRIGGER IF NOT EXISTS agent_model_config_renamed AFTER UPDATE OF agent_name ON agent_model_config
WHEN NEW.agent_name <> OLD.agent_name
BEGIN
    INSERT INTO agent_model_history (agent_name, old_model, set_by)
    SELECT OLD.agent_name, OLD.model_id, NEW.set_by WHERE OLD.is_active;
    INSERT INTO agent_model_history (agent_name, new_model, set_by)
    SELECT NEW.agent_name, NEW.model_id, NEW.set_by WHERE NEW.is_active;
END;

CREATE TRIGGER IF NOT EXISTS agent_model_config_deleted AFTER DELETE ON agent_model_config WHEN OLD.is_active
BEGIN
    INSERT INTO agent_model_history (agent_name, old_model) VALUES (OLD.agent_name, OLD.model_id);
END;
