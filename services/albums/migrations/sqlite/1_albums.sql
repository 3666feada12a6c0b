CREATE TABLE albums (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL,
    title   TEXT NOT NULL,
    artist  TEXT NOT NULL,
    year    INTEGER NOT NULL,
    UNIQUE (user_id, title)
);
CREATE INDEX albums_user_id ON albums (user_id);
