//! The whole stack as a user has it: `up`, the demo, `verify`, `status`, the stop, and what is found after it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::http;
use tests::mirante::{PORTS, Stack, command, free_offset, is_alive, signal_to};

fn json(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        panic!("{error}: {}{}", text(&output.stdout), text(&output.stderr))
    })
}

fn verify(stack: &Stack) -> Value {
    let output = stack.run("verify", &["--json"]);
    let report = json(&output);
    assert!(output.status.success() && report["ok"] == true, "{report:#}\n{}", stack.logged());
    report
}

/// Asks until the answer is the right one.
fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn trace_spans(stack: &Stack, trace_id: &str) -> usize {
    let answer = http::get(&format!("{}/api/traces/{trace_id}", stack.url("jaeger"))).unwrap();
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    answer["data"][0]["spans"].as_array().map_or(0, Vec::len)
}

#[test]
fn up_verify_status_stop_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let stack = Stack::up(dir.path(), &[]);

    let said = stack.said();
    for (_, port) in PORTS {
        assert!(said.contains(&format!("127.0.0.1:{}", port + stack.offset)), "{port} is not in\n{said}");
    }
    assert!(said.contains("ready after") && !said.contains("not ready"), "{said}");
    assert!(said.contains(&format!("curl {}/users", stack.url("users"))), "{said}");

    for (part, path) in [("albums", "/albums"), ("users", "/users/1/albums")] {
        eventually("the demo answers", || {
            let answer = http::get(&format!("{}{path}", stack.url(part))).ok()?;
            (answer.status == 200 && serde_json::from_str::<Value>(&answer.body).is_ok()).then_some(())
        });
    }

    let report = verify(&stack);
    let trace_id = report["trace_id"].as_str().unwrap().to_owned();
    let spans = trace_spans(&stack, &trace_id);
    assert!(spans >= 4, "{spans} spans");
    let people = stack.run("verify", &[]);
    let people = String::from_utf8_lossy(&people.stdout);
    // What is scraped and evaluated is no part of a stack without Prometheus' file.
    assert_eq!(people.matches('✓').count(), 5, "{people}");

    let status = stack.run("status", &["--json"]);
    let status = json(&status);
    assert_eq!(status["ok"], true, "{status:#}");
    assert_eq!(status["components"].as_array().map(Vec::len), Some(PORTS.len()), "{status:#}");
    for signal in ["traces", "logs", "metrics"] {
        let figures = &status["signals"][signal];
        for figure in ["accepted", "head_items", "head_bytes", "wal_bytes", "wal_segments"] {
            assert!(figures[figure].as_u64() > Some(0), "{signal} {figure}: {status:#}");
        }
        assert_eq!(figures["refused_requests"], 0, "{status:#}");
    }
    let by_dir = command(&["status", "--data-dir"]).arg(dir.path()).output().unwrap();
    let by_dir = String::from_utf8_lossy(&by_dir.stdout).into_owned();
    assert!(
        by_dir.contains(&format!("process {}", stack.pid())) && by_dir.contains("traces (spans)"),
        "{by_dir}"
    );

    let offset = stack.offset;
    let said = stack.stop();
    for line in
        ["users      stopped", "albums     stopped", "receivers ", "traces     flushed: ", "Stopped in "]
    {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }

    let again = Stack::up_at(offset, dir.path(), &[]).unwrap();
    assert_eq!(trace_spans(&again, &trace_id), spans, "the trace is not the same after the restart");
    verify(&again);
    again.stop();
}

#[test]
fn after_a_kill_nothing_is_orphaned_and_everything_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut stack = Stack::up(dir.path(), &[]);
    let report = verify(&stack);
    let trace_id = report["trace_id"].as_str().unwrap();
    let spans = trace_spans(&stack, trace_id);
    let demo = stack.demo_pids();
    assert_eq!(demo.len(), 2, "{demo:?}");

    stack.signal("KILL");
    stack.ended(Duration::from_secs(5));
    eventually("the demo services are gone", || demo.iter().all(|(_, pid)| !is_alive(*pid)).then_some(()));

    let again = Stack::up_at(stack.offset, dir.path(), &[]).unwrap();
    assert_eq!(trace_spans(&again, trace_id), spans);
    again.stop();
}

#[test]
fn a_demo_service_that_dies_is_started_again() {
    let dir = tempfile::tempdir().unwrap();
    let stack = Stack::up(dir.path(), &[]);
    let pid_of =
        |name: &str| stack.demo_pids().into_iter().find(|(service, _)| service == name).map(|(_, pid)| pid);
    let first = pid_of("albums").unwrap();
    signal_to(first, "KILL");
    let second = eventually("albums is started again", || pid_of("albums").filter(|&pid| pid != first));
    eventually("albums answers again", || {
        let answer = http::get(&format!("{}/healthz", stack.url("albums"))).ok()?;
        (answer.status == 200).then_some(())
    });
    assert_ne!(first, second);
    let metrics = http::get(&format!("{}/metrics", stack.url("tempo"))).unwrap().body;
    assert!(metrics.contains("mirante_demo_restarts_total{service=\"albums\"} 1"), "{metrics}");
    stack.stop();
}

#[test]
fn two_stacks_run_side_by_side() {
    let (first_dir, second_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = Stack::up(first_dir.path(), &[]);
    let second = Stack::up(second_dir.path(), &[]);
    assert_ne!(first.offset, second.offset);
    let (of_first, of_second) = (verify(&first), verify(&second));
    let trace_id = |report: &Value| report["trace_id"].as_str().unwrap().to_owned();
    assert!(trace_spans(&first, &trace_id(&of_first)) > 0);
    assert_eq!(trace_spans(&first, &trace_id(&of_second)), 0, "one stack knows the other's traces");
    first.stop();
    second.stop();
}

#[test]
fn without_the_demo_only_the_engine_runs() {
    let dir = tempfile::tempdir().unwrap();
    let stack = Stack::up(dir.path(), &["--no-demo"]);
    assert!(!stack.said().contains("curl"), "{}", stack.said());
    assert_eq!(stack.demo_pids(), []);
    let status = json(&stack.run("status", &["--json"]));
    assert_eq!(status["ok"], true, "{status:#}");
    assert_eq!(status["components"].as_array().map(Vec::len), Some(6), "{status:#}");
    let verify = stack.run("verify", &["--timeout", "2s"]);
    assert_eq!(verify.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&verify.stderr).contains("users does not answer"));
    let said = stack.stop();
    assert!(!said.contains("users") && said.contains("receivers  nothing under way"), "{said}");
}

#[test]
fn what_is_missing_is_a_failure_of_verify() {
    let (dir, other_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let stack = Stack::up(dir.path(), &[]);
    let other = Stack::up(other_dir.path(), &["--no-demo"]);
    let loki = other.url("loki");
    let output = stack.run("verify", &["--timeout", "4s", "--json", "--loki", &loki]);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(1), "{report:#}");
    for check in report["checks"].as_array().unwrap() {
        let expected = match check["name"].as_str().unwrap() {
            "loki" => Value::Bool(false),
            "tempo" | "jaeger" | "prometheus" => Value::Bool(true),
            // First scrapes and first exemplars may take longer than this waits.
            "exemplars" | "targets" | "rules" => continue,
            // What only the real components have is no part of this target, and no failure.
            _ => Value::Null,
        };
        assert_eq!(check["ok"], expected, "{report:#}");
    }
    let people = stack.run("verify", &["--timeout", "2s", "--loki", &loki]);
    assert_eq!(people.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&people.stdout).contains("✗  loki"));
    assert!(String::from_utf8_lossy(&people.stderr).contains("hint: loki: "));
}

#[test]
fn every_port_says_how_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let stack = Stack::up(dir.path(), &["--no-demo"]);
    for part in ["otlp-grpc", "otlp-http", "tempo", "jaeger", "loki", "prometheus"] {
        let answer = http::get(&format!("{}/metrics", stack.url(part))).unwrap();
        assert_eq!(answer.status, 200, "{part}");
        for metric in [
            "mirante_build_info{",
            "mirante_head_items{signal=\"traces\"}",
            "mirante_wal_bytes{signal=\"logs\"}",
            "mirante_block_bytes{signal=\"traces\"}",
            "mirante_connections{component=\"loki\"}",
            "mirante_head_series ",
            "mirante_queries_waiting ",
            "mirante_receiver_queued_requests ",
            "process_resident_memory_bytes ",
            "process_cpu_seconds_total ",
            "process_open_fds ",
            "process_start_time_seconds ",
        ] {
            assert!(answer.body.contains(metric), "{metric} is not on the port of {part}:\n{}", answer.body);
        }
    }
}

#[test]
fn logs_are_structured() {
    let dir = tempfile::tempdir().unwrap();
    let stack = Stack::up(dir.path(), &["--no-demo", "--log-format", "json"]);
    let logged = stack.logged();
    let lines: Vec<Value> = logged.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let up = lines.iter().find(|line| line["message"] == "the engine is up");
    let up = up.unwrap_or_else(|| panic!("{logged}"));
    assert_eq!(up["level"], "INFO");
    assert!(up["timestamp"].is_string() && up["data_dir"].is_string(), "{up}");
}

#[test]
fn what_is_open_to_others_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let stack = Stack::up(dir.path(), &["--no-demo", "--bind", "0.0.0.0"]);
    let warned = stack.logged();
    assert!(warned.contains("warning: open to everyone who reaches this machine"), "{warned}");
    assert!(warned.contains(&format!("Loki on {}", 3100 + stack.offset)), "{warned}");
    assert_eq!(http::get(&format!("{}/ready", stack.url("loki"))).unwrap().status, 200);
}

#[test]
fn each_signal_that_ends_programs_stops_in_order() {
    for signal in ["INT", "TERM"] {
        let dir = tempfile::tempdir().unwrap();
        let mut stack = Stack::up(dir.path(), &["--no-demo"]);
        stack.signal(signal);
        let status = stack.ended(Duration::from_secs(10));
        assert!(status.success() && stack.said().contains("Stopped in"), "{signal}: {status}");
    }
}

#[test]
fn a_second_ctrl_c_stops_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut stack = Stack::up(dir.path(), &["--no-demo"]);
    // A request whose body never comes is under way, so that the stop has to wait.
    let mut under_way = TcpStream::connect(stack.url("otlp-http").trim_start_matches("http://")).unwrap();
    let head =
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n";
    under_way.write_all(head.as_bytes()).unwrap();
    eventually("the request is under way", || {
        let metrics = http::get(&format!("{}/metrics", stack.url("tempo"))).ok()?.body;
        metrics.contains("mirante_writes_under_way 1").then_some(())
    });
    stack.signal("INT");
    eventually("it is stopping", || stack.said().contains("Stopping").then_some(()));
    stack.signal("INT");
    let status = stack.ended(Duration::from_secs(3));
    assert_eq!(status.code(), Some(130), "{}", stack.said());
    let _ = under_way.read(&mut [0; 1]);
}

#[test]
fn a_request_under_way_at_the_stop_is_answered_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut stack = Stack::up(dir.path(), &["--no-demo"]);
    let trace_id = "0af7651916cd43dd8448eb211c80319c";
    let body = one_span(trace_id);
    let (first, rest) = body.split_at(body.len() / 2);
    let mut under_way = TcpStream::connect(stack.url("otlp-http").trim_start_matches("http://")).unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{first}",
        body.len()
    );
    under_way.write_all(head.as_bytes()).unwrap();
    eventually("the request is under way", || {
        let metrics = http::get(&format!("{}/metrics", stack.url("tempo"))).ok()?.body;
        metrics.contains("mirante_writes_under_way 1").then_some(())
    });
    stack.signal("TERM");
    eventually("it is stopping", || stack.said().contains("Stopping").then_some(()));
    std::thread::sleep(Duration::from_millis(100));
    under_way.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    under_way.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(stack.ended(Duration::from_secs(10)).success());
    assert!(stack.said().contains("1 request finished"), "{}", stack.said());

    let again = Stack::up_at(stack.offset, dir.path(), &["--no-demo"]).unwrap();
    assert_eq!(trace_spans(&again, trace_id), 1);
    again.stop();
}

fn one_span(trace_id: &str) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    serde_json::json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "test"}}]},
        "scopeSpans": [{"spans": [{
            "traceId": trace_id, "spanId": "b7ad6b7169203331", "name": "one", "kind": 2,
            "startTimeUnixNano": now.to_string(), "endTimeUnixNano": (now + 1000).to_string()
        }]}]
    }]})
    .to_string()
}

#[test]
fn an_old_lock_file_and_a_lost_port_do_not_hinder_a_start() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(Path::new(dir.path()).join("LOCK"), "{\"pid\": 1}").unwrap();
    Stack::up_at(free_offset(), dir.path(), &["--no-demo"]).unwrap().stop();
}
