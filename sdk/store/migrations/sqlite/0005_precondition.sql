-- What must be true of a record for a request to be carried out, as the system's precondition says it.
ALTER TABLE operation ADD COLUMN precondition TEXT;
