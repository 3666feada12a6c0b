-- Runs once, when the volume is empty. The image has made the role and the database `users` by then.
-- A database for each service: neither reads the other's tables, and both migrate by themselves.
CREATE DATABASE albums;
