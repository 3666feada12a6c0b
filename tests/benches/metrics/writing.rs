//! What the two take in: loading, samples a second on one core, memory of a series.

use std::path::Path;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use tests::mirante::{cpu_seconds, resident_bytes};
use tests::remote_write::{Connection, Version};

use super::dataset::{Load, STEP_MS};
use super::servers::{BOTH, Kind, Server, cores_of_machine};
use super::table::{Bound, Table};
use super::{now_ms, setting};

/// Samples of a request: what Prometheus sends at most by default.
const MOST: usize = 2000;

/// Connections that send at a time; each has series of its own, so that no sample comes before an older one.
const CONNECTIONS: usize = 4;

/// Sends several loads in order of time, a slice after the other: no series may lie far behind another one.
pub(crate) fn in_order(address: &str, loads: &[Load], slice_ms: i64) -> Result<(), Failed> {
    let begin_ms = loads.iter().map(|load| load.begin_ms).min().unwrap_or(0);
    let end_ms = loads.iter().map(|load| load.end_ms).max().unwrap_or(0);
    let mut connection = Connection::open(address)?;
    let mut from_ms = begin_ms;
    while from_ms < end_ms {
        for load in loads {
            for body in load.requests(Version::V1, from_ms, from_ms + slice_ms, MOST) {
                accepted(connection.send(&body)?)?;
            }
        }
        from_ms += slice_ms;
    }
    Ok(())
}

pub(crate) fn accepted((status, body): (u16, String)) -> Result<(), Failed> {
    if status / 100 == 2 { Ok(()) } else { Err(format!("{status}: {body}").into()) }
}

/// Requests that are ready to be sent, by connection; each connection has series of its own.
fn shards(version: Version, series: usize, rounds: i64, each: i64) -> Vec<Vec<Vec<u8>>> {
    let end_ms = now_ms();
    let begin_ms = end_ms - rounds * each * STEP_MS;
    let mut load = Load::fleet(series, begin_ms, end_ms);
    let all = std::mem::take(&mut load.series);
    let shards = all.chunks(series.div_ceil(CONNECTIONS)).map(|series| {
        load.series = series.to_vec();
        let times = (0..rounds).map(|round| begin_ms + round * each * STEP_MS);
        times.flat_map(|from_ms| load.requests(version, from_ms, from_ms + each * STEP_MS, MOST)).collect()
    });
    shards.collect()
}

/// Sends the requests of each shard over a connection of its own.
fn send_all(version: Version, address: &str, shards: &[&[Vec<u8>]]) -> Result<Duration, Failed> {
    let began = Instant::now();
    std::thread::scope(|scope| {
        let senders: Vec<_> = shards
            .iter()
            .map(|bodies| {
                scope.spawn(move || -> Result<(), Failed> {
                    let mut connection = Connection::open(address)?;
                    for body in *bodies {
                        accepted(connection.send_as(version, body)?)?;
                    }
                    Ok(())
                })
            })
            .collect();
        senders.into_iter().try_for_each(|sender| sender.join().map_err(|_| "a sender panicked")?)
    })?;
    Ok(began.elapsed())
}

/// Samples a second of series that are known, by a server held to the machine's first core; the load has the others.
pub(crate) fn rate(prometheus: &Path, table: &mut Table) -> Result<(), Failed> {
    leave_first_core();
    let mut kinds = vec![(Version::V1, "1.0"), (Version::V2, "2.0")];
    if !super::knows_v2(prometheus) {
        println!("remote write 2.0: this prometheus does not know it");
        kinds.pop();
    }
    for (version, name) in kinds {
        for (what, each) in [("one sample a series", 1), ("ten samples a series", 10)] {
            let row = |of: &str| format!("remote write {name}, {what}, per second of {of}");
            let [by_clock, by_processor] = rate_of(prometheus, version, each)?;
            table.add(row("one core"), "samples/s", by_clock, Bound::AtLeast(1e6));
            table.add(row("processor time"), "samples/s", by_processor, Bound::AtLeast(1e6));
        }
    }
    Ok(())
}

/// Medians of samples a second, by the clock and by the processor time that the server used.
fn rate_of(prometheus: &Path, version: Version, each: i64) -> Result<[[f64; 2]; 2], Failed> {
    let series = setting("METRICS_WRITE_SERIES", 20_000);
    // As many samples, however many a request has of a series.
    let rounds = (setting("METRICS_WRITE_ROUNDS", 120) / each as usize).max(2);
    let shards = shards(version, series, rounds as i64, each);
    let first = shards[0].len() / rounds;
    let sent = (series * (rounds - 1)) as f64 * each as f64;
    let mut rates = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
    for _ in 0..3 {
        for (index, kind) in BOTH.into_iter().enumerate() {
            let server = Server::start(kind, prometheus, &[0])?;
            // The first round makes the series.
            let begin: Vec<&[Vec<u8>]> = shards.iter().map(|bodies| &bodies[..first]).collect();
            send_all(version, &server.address, &begin)?;
            let rest: Vec<&[Vec<u8>]> = shards.iter().map(|bodies| &bodies[first..]).collect();
            let used_before = cpu_seconds(server.pid).unwrap_or(f64::NAN);
            let took = send_all(version, &server.address, &rest)?;
            let used = cpu_seconds(server.pid).unwrap_or(f64::NAN) - used_before;
            rates[0][index].push(sent / took.as_secs_f64());
            rates[1][index].push(sent / used);
        }
    }
    let medians = rates.map(|rates| {
        rates.map(|mut rates| {
            rates.sort_unstable_by(f64::total_cmp);
            rates[1]
        })
    });
    println!(
        "remote write, {version:?}, {each} a series: {:.0} and {:.0} samples/s, {:.0} and {:.0} per processor second",
        medians[0][0], medians[0][1], medians[1][0], medians[1][1]
    );
    Ok(medians)
}

/// The first core is the server's.
fn leave_first_core() {
    let mut set = rustix::thread::CpuSet::new();
    (1..cores_of_machine()).for_each(|core| set.set(core));
    if cores_of_machine() < 2 || rustix::thread::sched_setaffinity(None, &set).is_err() {
        println!("note: the load shares the server's core");
    }
}

/// Resident memory of a series with half an hour of samples: what the process has more than before its first one, some
/// seconds after the last.
pub(crate) fn memory(prometheus: &Path, table: &mut Table) -> Result<(), Failed> {
    let series = setting("METRICS_MEMORY_SERIES", 100_000);
    let shards = shards(Version::V1, series, 12, 10);
    let shards: Vec<&[Vec<u8>]> = shards.iter().map(Vec::as_slice).collect();
    let mut bytes = [0.0; 2];
    for (index, kind) in BOTH.into_iter().enumerate() {
        let server = Server::start(kind, prometheus, &[])?;
        std::thread::sleep(Duration::from_secs(2));
        let before = resident_bytes(server.pid);
        send_all(Version::V1, &server.address, &shards)?;
        // Go's collector gives back what it does not need, but not at once.
        std::thread::sleep(Duration::from_secs(if kind == Kind::Prometheus { 20 } else { 5 }));
        let after = resident_bytes(server.pid);
        println!("memory, {kind:?}: {} MiB idle, {} MiB with {series} series", before >> 20, after >> 20);
        bytes[index] = (after - before) as f64 / series as f64;
    }
    table.add("resident memory of an active series, 120 samples each", "bytes", bytes, Bound::AtMost(0.5));
    Ok(())
}
