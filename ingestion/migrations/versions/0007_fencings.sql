-- A projector that finds itself fenced ends: what it could count ends with it, so it is counted here.
ALTER TABLE live.offsets ADD COLUMN fencings bigint NOT NULL DEFAULT 0;
