// Traces of a made-up shop, for xk6-client-tracing v0.0.10 (docker-compose.generators.yaml starts it): several services,
// calls between them, a database, a queue with a link, events, and failures that begin in one place and show in others.
//
//   ENDPOINT   host:port of an OTLP/gRPC receiver (otel-collector:4317)
//   RATE       traces a second (2)
//
// It runs until it is stopped, and imports nothing from the internet.

import tracing from 'k6/x/tracing';

const RATE = Number(__ENV.RATE || 2);
if (!(RATE > 0 && RATE <= 100)) {
  throw new Error(`RATE=${__ENV.RATE} is not a number above 0, 100 at most`);
}

export const options = {
  scenarios: {
    shop: {
      executor: 'constant-arrival-rate',
      rate: Math.max(1, Math.round(RATE * 60)),
      timeUnit: '1m',
      // The longest that k6 is content with is long enough: a year.
      duration: '8760h',
      preAllocatedVUs: 2,
      maxVUs: 4,
    },
  },
};

const client = new tracing.Client({
  endpoint: __ENV.ENDPOINT || 'otel-collector:4317',
  exporter: tracing.EXPORTER_OTLP,
  tls: { insecure: true },
});

// A generator remembers nothing from one trace to the next. Each is made once: the extension keeps every one that it
// is asked for.
const KINDS = [
  [10, browse()],
  [4, search()],
  [4, checkout()],
  [1, declined()],
  [1, paymentDown()],
].map(([weight, spans]) => [weight, new tracing.TemplatedGenerator({ defaults: defaults(), spans })]);

const TOTAL = KINDS.reduce((sum, [weight]) => sum + weight, 0);

export default function () {
  let left = Math.random() * TOTAL;
  const kind = KINDS.find(([weight]) => {
    left -= weight;
    return left < 0;
  });
  client.push((kind || KINDS[0])[1].traces());
}

export function teardown() {
  client.shutdown();
}

function defaults() {
  return {
    attributeSemantics: tracing.SEMANTICS_HTTP,
    resource: {
      attributes: {
        'service.namespace': 'shop',
        'service.version': '1.4.0',
        'deployment.environment.name': 'demo',
      },
    },
  };
}

// Whether a span is a server's or a client's follows from which service its parent and its child belong to. A span
// without `parentIdx` is a child of the one before it.

function browse() {
  return [
    server('storefront', 'GET', '/products', 200, { duration: { min: 20, max: 120 } }),
    call('storefront', 'GET', '/products', 200),
    server('catalog', 'GET', '/products', 200, { events: [{ name: 'cache.miss', attributes: { 'cache.key': 'products:1' } }] }),
    database('catalog', 'SELECT', 'products', 'SELECT id, name, price FROM products ORDER BY id LIMIT $1'),
  ];
}

function search() {
  return [
    server('storefront', 'GET', '/search', 200, { duration: { min: 80, max: 900 } }),
    call('storefront', 'GET', '/search', 200),
    server('catalog', 'GET', '/search', 200),
    internal('catalog', 'rank results', { 'search.results': 42 }),
    database('catalog', 'SELECT', 'products', "SELECT id FROM products WHERE name ILIKE '%' || $1 || '%'", { parentIdx: 2 }),
  ];
}

function checkout() {
  return [
    server('storefront', 'POST', '/checkout', 201, { duration: { min: 150, max: 500 } }),
    call('storefront', 'POST', '/orders', 201),
    server('orders', 'POST', '/orders', 201),
    call('orders', 'POST', '/charges', 200, { parentIdx: 2 }),
    server('payment', 'POST', '/charges', 200, { events: [{ name: 'charge.accepted', attributes: { 'payment.method': 'card' } }] }),
    database('orders', 'INSERT', 'orders', 'INSERT INTO orders (customer, total) VALUES ($1, $2)', { parentIdx: 2 }),
    queue('orders', 'producer', 'send', { parentIdx: 2, duration: { min: 1, max: 5 } }),
    // Work that a message begins is linked to the span that sent it.
    queue('shipping', 'consumer', 'process', { links: [{ attributes: { 'messaging.operation.type': 'send' } }], duration: { min: 40, max: 200 } }),
    database('shipping', 'INSERT', 'parcels', 'INSERT INTO parcels (order_id) VALUES ($1)'),
  ];
}

// The customer's card says no: nobody's failure, so no span is an error but the client's that got the 402.
function declined() {
  return [
    server('storefront', 'POST', '/checkout', 402, { duration: { min: 100, max: 300 } }),
    call('storefront', 'POST', '/orders', 402),
    server('orders', 'POST', '/orders', 402),
    call('orders', 'POST', '/charges', 402),
    server('payment', 'POST', '/charges', 402, { events: [{ name: 'charge.declined', attributes: { 'payment.method': 'card' } }] }),
  ];
}

// Payment's provider is away: it fails, and so do those who called it.
function paymentDown() {
  return [
    server('storefront', 'POST', '/checkout', 502, { duration: { min: 1000, max: 2500 } }),
    call('storefront', 'POST', '/orders', 502),
    server('orders', 'POST', '/orders', 502),
    call('orders', 'POST', '/charges', 503),
    server('payment', 'POST', '/charges', 503, {
      events: [
        { name: 'retry', attributes: { 'retry.count': 1 } },
        {
          name: 'exception',
          attributes: { 'exception.type': 'ProviderTimeout', 'exception.message': 'the card provider did not answer in 1 s' },
        },
      ],
    }),
  ];
}

function server(service, method, route, status, more) {
  return {
    service,
    name: `${method} ${route}`,
    attributes: {
      'http.request.method': method,
      'http.route': route,
      'http.response.status_code': status,
      // The extension would make one up, with the span's name as its path.
      'url.full': `http://${service}.shop:8080${route}`,
    },
    ...more,
  };
}

function call(service, method, template, status, more) {
  return {
    service,
    name: `${method} ${template}`,
    attributes: { 'http.request.method': method, 'url.template': template, 'http.response.status_code': status },
    ...more,
  };
}

function internal(service, name, attributes) {
  return { service, name, attributes };
}

function database(service, operation, table, text, more) {
  return {
    service,
    name: `${operation} ${table}`,
    attributeSemantics: tracing.SEMANTICS_DB,
    duration: { min: 2, max: 15 },
    attributes: {
      'span.kind': 'client',
      'db.system.name': 'postgresql',
      'db.namespace': 'shop',
      'db.collection.name': table,
      'db.operation.name': operation,
      'db.query.summary': `${operation} ${table}`,
      'db.query.text': text,
    },
    ...more,
  };
}

function queue(service, kind, operation, more) {
  return {
    service,
    name: `${operation} orders`,
    // Neither HTTP nor a database; the extension has no semantics for queues, so all is said here.
    attributeSemantics: tracing.SEMANTICS_DB,
    attributes: {
      'span.kind': kind,
      'messaging.system': 'kafka',
      'messaging.destination.name': 'orders',
      'messaging.operation.name': operation,
      'messaging.operation.type': operation,
    },
    ...more,
  };
}
