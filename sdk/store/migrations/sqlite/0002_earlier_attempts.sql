-- A create may be sent more than once. What the last attempt was answered says nothing of those before it.
ALTER TABLE operation ADD COLUMN in_doubt INTEGER NOT NULL DEFAULT 0; -- whether an earlier attempt may have been applied
