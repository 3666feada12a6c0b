INSERT INTO users (name, email) VALUES
    ('ada', 'ada@example.org'),
    ('alan', 'alan@example.org'),
    ('barbara', 'barbara@example.org'),
    ('claude', 'claude@example.org'),
    ('dorothy', 'dorothy@example.org'),
    ('edsger', 'edsger@example.org'),
    ('frances', 'frances@example.org'),
    ('grace', 'grace@example.org'),
    ('hedy', 'hedy@example.org'),
    ('katherine', 'katherine@example.org');
