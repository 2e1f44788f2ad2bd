-- What is known of what the sides of a pair agreed on: 0 their base; 1 nothing yet; 2 their base, but a record was gone
-- for a while and the other one may have changed unheard.
ALTER TABLE pair RENAME COLUMN fresh TO agreement;
