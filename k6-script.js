// Load as people make it: some browse users, some look at albums, some at one user's albums; they pause between
// pages, come with several programs, and each request begins a trace that the stack can be asked for.
//
//   k6 run k6-script.js                                       against localhost, four minutes
//   RATE=20 DURATION=30m k6 run k6-script.js                  twenty sessions a second when steady, for half an hour
//   BASE_URL=http://users:8001 ALBUMS_URL=http://albums:8002 k6 run k6-script.js
//
// docs/load-test.md says how the results get into Prometheus, and what the thresholds mean. Only modules that are
// built into k6 are imported, so that this runs without the internet.

import http from 'k6/http';
import exec from 'k6/execution';
import { check, sleep } from 'k6';
import { Rate } from 'k6/metrics';

const USERS = base('BASE_URL', 'http://localhost:8001');
const ALBUMS = base('ALBUMS_URL', 'http://localhost:8002');
// Sessions that begin in a second while the load is steady; each makes three requests.
const RATE = number('RATE', 4, 0.1, 1000);
// The whole run. The four stages share it.
const DURATION = seconds('DURATION', '4m');
// Nobody waits longer than this for a page.
const TIMEOUT = '5s';
// Below this an answer counts as fast. The same figure as in slo/.
const FAST_MS = 1000;

// Where a part of the run lies, in whole seconds; no stage is shorter than two.
const at = (part) => Math.round(DURATION * part);
// Arrivals are counted by the minute, so that less than one in a second is possible.
const perMinute = (factor) => Math.max(1, Math.round(RATE * 60 * factor));

// A stage of the run: arrivals go from one rate to another within `ease` seconds and stay there. They do not wait for
// answers, so that a slow service is not spared by those who wait for it.
function stage(from, to, begin, end, ease) {
  const length = Math.max(2, at(end) - at(begin));
  const easing = Math.min(ease, length - 1);
  // A visitor stays for some seconds. Those who come when all virtual users are busy are counted as dropped.
  const busy = Math.ceil(RATE * Math.max(from, to) * 6) + 5;
  return {
    executor: 'ramping-arrival-rate',
    exec: 'session',
    timeUnit: '1m',
    startRate: perMinute(from),
    stages: [
      { target: perMinute(to), duration: `${easing}s` },
      { target: perMinute(to), duration: `${length - easing}s` },
    ],
    startTime: `${at(begin)}s`,
    preAllocatedVUs: busy,
    maxVUs: busy * 8,
    gracefulStop: '15s',
  };
}

// The pages that are asked for, as `name` and `service` say on every metric.
const PAGES = [
  ['users', 'GET /users', 2000],
  ['users', 'GET /users/{id}', 1000],
  ['users', 'GET /users/{id}/albums', 1000],
  ['users', 'GET /albums', 1000],
  ['albums', 'GET /albums', 1000],
  ['albums', 'GET /albums/{id}', 1000],
];
const pageTime = (service, name) => `http_req_duration{service:${service},name:${name}}`;

export const options = {
  userAgent: 'k6',
  scenarios: {
    ramp: stage(0, 1, 0, 0.2, at(0.15)),
    steady: stage(1, 1, 0.2, 0.6, 1),
    spike: stage(1, 4, 0.6, 0.75, 3),
    recover: stage(4, 0.5, 0.75, 1, 5),
  },
  thresholds: {
    // The objectives of slo/: 95 % of the requests without a server's error, 95 % of the successful ones fast. As
    // there, they are about a service as a whole. `GET /users` alone misses the first by design, since a tenth of it
    // fails on purpose (APP_ERRORS); but it is a seventh of what users is asked here. See docs/load-test.md.
    'slo_availability{service:users}': ['rate>=0.95'],
    'slo_availability{service:albums}': ['rate>=0.95'],
    'slo_latency{service:users}': ['rate>=0.95'],
    'slo_latency{service:albums}': ['rate>=0.95'],
    // Whatever fails on purpose fails in the proper form, so this holds even while faults are injected.
    'checks{kind:form}': ['rate>0.99'],
    // By page, so that the summary shows each. The limits only catch what is entirely broken.
    ...Object.fromEntries(PAGES.map(([service, name, most]) => [pageTime(service, name), [`p(95)<${most}`]])),
  },
  summaryTrendStats: ['avg', 'med', 'p(95)', 'p(99)', 'max', 'count'],
};

// Good requests by the two objectives. Failed requests are no part of the second, as in slo/.
const available = new Rate('slo_availability');
const fast = new Rate('slo_latency');

// Who calls, and how often. The names are what `demo_client_requests_total` shows.
const CLIENTS = [
  [5, 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'],
  [3, 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'],
  [2, 'shop-app/3.1 (Android 16)'],
  [1, 'partner-sync/1.4'],
];

// What people do, and how often.
const SESSIONS = [
  [5, browseAlbums],
  [3, lookAtUser],
  [3, browseUsers],
];

export function session() {
  // One visitor is one program and one user; low numbers come back more often than high ones.
  const who = {
    userAgent: weighted(CLIENTS),
    userId: String(1 + Math.floor(10 * Math.random() * Math.random())),
  };
  weighted(SESSIONS)(who);
}

function browseUsers(who) {
  const users = get(who, 'users', `${USERS}/users`, 'GET /users', isList('users'));
  pause(1, 3);
  get(who, 'users', `${USERS}/users/${anyId(users, 'users')}`, 'GET /users/{id}', hasId);
  pause(1, 2);
  get(who, 'users', `${USERS}/albums`, 'GET /albums', isList('albums'));
}

function browseAlbums(who) {
  const albums = get(who, 'albums', `${ALBUMS}/albums`, 'GET /albums', isList('albums'));
  pause(1, 3);
  get(who, 'albums', `${ALBUMS}/albums/${anyId(albums, 'albums')}`, 'GET /albums/{id}', hasId);
  pause(0.5, 2);
  get(who, 'users', `${USERS}/albums`, 'GET /albums', isList('albums'));
}

function lookAtUser(who) {
  const id = who.userId;
  get(who, 'users', `${USERS}/users/${id}`, 'GET /users/{id}', hasId);
  pause(0.5, 2);
  get(who, 'users', `${USERS}/users/${id}/albums`, 'GET /users/{id}/albums', isList('albums'));
  pause(1, 3);
  get(who, 'albums', `${ALBUMS}/albums?user_id=${id}`, 'GET /albums', isList('albums'));
}

// Asks, checks, and counts for the objectives. `name` has the address's values replaced by their names, so that there
// are few; `right` says whether the body of a success is what it should be.
function get(who, service, url, name, right) {
  const response = http.get(url, {
    timeout: TIMEOUT,
    headers: {
      'User-Agent': who.userAgent,
      'X-User-Id': who.userId,
      Accept: 'application/json',
      traceparent: traceparent(),
    },
    tags: { name, service },
  });
  const failed = response.status === 0 || response.status >= 500;
  available.add(!failed, { service });
  if (!failed) {
    fast.add(response.timings.duration < FAST_MS, { service });
  }
  // Two kinds: what depends on faults that are injected, and what must hold whatever is injected.
  check(
    response,
    {
      'status is 200': (r) => r.status === 200,
      [`answered within ${FAST_MS} ms`]: (r) => r.status !== 0 && r.timings.duration < FAST_MS,
    },
    { service, name, kind: 'outcome' },
  );
  check(
    response,
    {
      'the body is what it should be': (r) => (r.status === 200 ? right(json(r)) : isProblem(r)),
    },
    { service, name, kind: 'form' },
  );
  return response;
}

const isList = (field) => (body) => body !== null && Array.isArray(body[field]);
const hasId = (body) => body !== null && Number.isInteger(body.id);

// An error says what it is and to which trace it belongs (RFC 9457).
function isProblem(response) {
  const body = json(response);
  return body !== null && body.status === response.status && typeof body.detail === 'string';
}

function json(response) {
  try {
    return JSON.parse(response.body);
  } catch (_) {
    return null;
  }
}

// One of the ids that a list named; 1 where the list failed.
function anyId(response, field) {
  const body = response.status === 200 ? json(response) : null;
  const list = body === null ? [] : body[field] || [];
  return list.length === 0 ? 1 : list[Math.floor(Math.random() * list.length)].id;
}

// W3C trace context, version 00, sampled. Each request is a trace of its own, begun here.
function traceparent() {
  return `00-${hex(32)}-${hex(16)}-01`;
}

function hex(digits) {
  let text = '';
  for (let i = 0; i < digits; i += 1) {
    text += Math.floor(Math.random() * 16).toString(16);
  }
  // All zeros means no trace.
  return /^0+$/.test(text) ? `${text.slice(1)}1` : text;
}

function weighted(choices) {
  const total = choices.reduce((sum, [weight]) => sum + weight, 0);
  let left = Math.random() * total;
  for (const [weight, choice] of choices) {
    left -= weight;
    if (left < 0) {
      return choice;
    }
  }
  return choices[0][1];
}

function pause(least, most) {
  sleep(least + Math.random() * (most - least));
}

function base(name, fallback) {
  const value = (__ENV[name] || fallback).replace(/\/+$/, '');
  if (!/^https?:\/\/[^/\s]+/.test(value)) {
    throw new Error(`${name}=${value} is not an address such as ${fallback}`);
  }
  return value;
}

function number(name, fallback, least, most) {
  const value = Number(__ENV[name] || fallback);
  if (!(value >= least && value <= most)) {
    throw new Error(`${name}=${__ENV[name]} is not a number from ${least} to ${most}`);
  }
  return value;
}

function seconds(name, fallback) {
  const text = __ENV[name] || fallback;
  const match = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text);
  const value = match === null ? 0 : Number(match[1] || 0) * 3600 + Number(match[2] || 0) * 60 + Number(match[3] || 0);
  if (value < 10) {
    throw new Error(`${name}=${text} is not a time such as 90s, 4m or 1h30m, of ten seconds at least`);
  }
  return value;
}

// Nobody is there to be asked: without this a run against nothing would only show timeouts.
export function setup() {
  for (const [name, url] of [['BASE_URL', USERS], ['ALBUMS_URL', ALBUMS]]) {
    const response = http.get(`${url}/healthz`, { timeout: TIMEOUT, tags: { name: 'GET /healthz' } });
    if (response.status !== 200) {
      exec.test.abort(`${url}/healthz answers ${response.status || response.error} (${name} says where to ask)`);
    }
  }
}

export function handleSummary(data) {
  return { stdout: summary(data) };
}

function summary(data) {
  const values = (name) => (data.metrics[name] ? data.metrics[name].values : null);
  const lines = ['', `  ${USERS} and ${ALBUMS}, ${RATE} sessions a second, ${DURATION} s`, ''];
  const requests = values('http_reqs');
  const dropped = values('dropped_iterations');
  if (requests) {
    lines.push(`  requests   ${requests.count} (${requests.rate.toFixed(1)} a second)`);
  }
  lines.push(`  sessions   ${values('iterations') ? values('iterations').count : 0}, ${dropped ? dropped.count : 0} dropped`, '');

  lines.push('  page                                  count      p50      p95      p99      max');
  for (const [service, name] of PAGES) {
    const time = values(pageTime(service, name));
    if (time && time.count > 0) {
      const cells = [time.count, ...['med', 'p(95)', 'p(99)', 'max'].map((stat) => milliseconds(time[stat]))];
      lines.push(`  ${service.padEnd(7)} ${name.padEnd(26)} ${cells.map((cell) => String(cell).padStart(8)).join(' ')}`);
    }
  }

  lines.push('', '  objective                                      is     wanted');
  for (const service of ['users', 'albums']) {
    for (const [metric, what] of [['slo_availability', 'without a server error'], ['slo_latency', `faster than ${FAST_MS} ms`]]) {
      const rate = values(`${metric}{service:${service}}`);
      if (rate && rate.passes + rate.fails > 0) {
        const is = `${(rate.rate * 100).toFixed(2)} %`;
        lines.push(`  ${`${service}: ${what}`.padEnd(40)} ${is.padStart(9)}      95 %  ${rate.rate >= 0.95 ? 'kept' : 'MISSED'}`);
      }
    }
  }

  if (!values('slo_availability')) {
    return '\n  nothing was asked\n\n';
  }
  const missed = [];
  for (const [name, metric] of Object.entries(data.metrics)) {
    for (const [threshold, result] of Object.entries(metric.thresholds || {})) {
      if (!result.ok) {
        missed.push(`  missed: ${name} ${threshold}`);
      }
    }
  }
  lines.push('', ...(missed.length === 0 ? ['  every threshold was kept'] : missed), '', '');
  return lines.join('\n');
}

function milliseconds(value) {
  return value === undefined || value === null ? '-' : `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}
