use super::*;

/// A service as it should be; `{}` takes a change.
const GOOD: &str = "
services:
  a:
    image: prom/prometheus:v3.14.0
    restart: unless-stopped
    cap_drop: [ALL]
    security_opt: ['no-new-privileges:true']
    logging: { options: { max-size: 10m } }
    environment: { GOMEMLIMIT: 410MiB }
    ports: ['${MIRANTE_BIND:-127.0.0.1}:9090:9090']
    volumes: ['./there:/etc/a:ro', 'data:/data']
    mem_limit: 512m
    healthcheck: { test: [CMD, ask] }
volumes: { data: }
";

fn compose(text: &str) -> Compose {
    Compose::read(&[text]).unwrap()
}

fn all(text: &str) -> Complaints {
    let compose = compose(text);
    let exists = |path: &str| path == "./there";
    let mut complaints = pins(&compose);
    complaints.extend(ports(&[text]).unwrap());
    complaints.extend(mounts(&compose, exists));
    complaints.extend(dependencies(&compose));
    complaints.extend(health(&compose, &[text]));
    complaints.extend(hardening(&compose));
    complaints.extend(no_helpers(&compose));
    complaints
}

/// What the good file is told once one thing is changed in it.
fn after(change: (&str, &str)) -> String {
    assert!(GOOD.contains(change.0), "{change:?}");
    let complaints = all(&GOOD.replace(change.0, change.1));
    complaints.join("; ")
}

#[test]
fn a_good_file_is_not_complained_about() {
    assert_eq!(all(GOOD), Vec::<String>::new());
}

#[test]
fn loose_pins_are_found() {
    for tag in ["", ":latest", ":v3", ":v3.14", ":main", ":stable"] {
        let said = after((":v3.14.0", tag));
        assert!(said.contains("tag"), "{tag}: {said}");
    }
    assert!(after(("image: prom/prometheus:v3.14.0", "build: .")).contains("no image"));
    let pinned = compose(GOOD);
    assert!(pins_match(&pinned, "prometheus 3.14.0", &[("prometheus", "a")]).is_empty());
    assert_eq!(pins_match(&pinned, "prometheus 3.13.0", &[("prometheus", "a")]).len(), 1);
    assert!(pins_match(&pinned, "prometheus 3.13.0 # why", &[("prometheus", "a")]).is_empty());
}

#[test]
fn open_and_shared_ports_are_found() {
    assert!(after(("${MIRANTE_BIND:-127.0.0.1}:9090:9090", "9090:9090")).contains("MIRANTE_BIND"));
    assert!(after(("${MIRANTE_BIND:-127.0.0.1}", "127.0.0.1")).contains("MIRANTE_BIND"));
    assert!(after(("${MIRANTE_BIND:-127.0.0.1}", "${MIRANTE_BIND:-0.0.0.0}")).contains("MIRANTE_BIND"));
    assert!(after(("9090:9090'", "9090:9090', '${MIRANTE_BIND:-127.0.0.1}:9090:80'")).contains("already"));
}

#[test]
fn mounts_of_nothing_are_found() {
    assert!(after(("./there", "./nowhere")).contains("./nowhere is not there"));
    assert!(after(("/etc/a:ro", "/etc/a")).contains("may be written"));
    assert!(after(("data:/data", "other:/data")).contains("other is not declared; the volume data"));
    assert!(after(("data:/data", "data:/etc/a")).contains("two mounts"));
    assert!(after(("./there", "/var/run/docker.sock")).contains("socket"));
    assert!(after(("'data:/data'", "data:/data, /cache")).contains("nameless"));
}

#[test]
fn waits_without_end_are_found() {
    let with = |wait: &str| after(("restart: unless-stopped", wait));
    assert!(with("depends_on: { b: { condition: service_healthy } }").contains("no service"));
    assert!(with("depends_on: { a: { condition: service_healthy } }").contains("itself"));
    let unasked = GOOD.replace("volumes: { data: }", "  b: { image: 'x:1.0.0' }\nvolumes: { data: }");
    let unasked =
        unasked.replace("restart: unless-stopped", "depends_on: { b: { condition: service_healthy } }");
    assert!(all(&unasked).join(";").contains("which nobody asks for"));
    let profile = unasked.replace("x:1.0.0'", "x:1.0.0', profiles: [p]");
    assert!(all(&profile).join(";").contains("only with a profile"));
}

#[test]
fn missing_health_is_found_unless_a_comment_says_why() {
    assert!(after(("    healthcheck: { test: [CMD, ask] }\n", "")).contains("no health check"));
    assert_eq!(after(("    healthcheck: { test: [CMD, ask] }\n", "    # No health check: no shell.\n")), "");
    assert!(after(("[CMD, ask]", "[NONE]")).contains("no health check"));
}

#[test]
fn rights_are_found() {
    for (change, said) in [
        (("cap_drop: [ALL]", "privileged: true"), "privileged; a: no cap_drop"),
        (("['no-new-privileges:true']", "[]"), "no-new-privileges"),
        (("mem_limit: 512m", "mem_limit: 411m"), "does not fit"),
        (("mem_limit: 512m", "mem_limit: 2g"), "does not fit"),
        (("    mem_limit: 512m\n", ""), "no memory limit"),
        (("GOMEMLIMIT: 410MiB", "X: 1"), "no GOMEMLIMIT"),
        (("max-size: 10m", "x: 10m"), "no end"),
        (("restart: unless-stopped", "user: '0:0'"), "root"),
        (("restart: unless-stopped", "command: [sh, -c, 'chown -R 1 /data']"), "there to chown"),
    ] {
        let complaints = after(change);
        assert!(complaints.contains(said), "{change:?}: {complaints}");
    }
    assert!(after(("image: prom/prometheus:v3.14.0", "image: busybox:1.37.0")).contains("root"));
}
