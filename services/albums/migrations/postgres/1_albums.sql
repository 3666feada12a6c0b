CREATE TABLE albums (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id BIGINT NOT NULL,
    title   TEXT NOT NULL,
    artist  TEXT NOT NULL,
    year    BIGINT NOT NULL,
    UNIQUE (user_id, title)
);
CREATE INDEX albums_user_id ON albums (user_id);
