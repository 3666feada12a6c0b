//! What a process can find out about where it runs, for its resource. What cannot be found out is left out; what
//! `OTEL_RESOURCE_ATTRIBUTES` says wins.

use std::path::Path;

/// Hexadecimal digits of a container's id.
const ID_LENGTH: usize = 64;

/// `host.name`, `process.pid`, `process.executable.name` and `container.id`.
pub(super) fn here() -> Vec<(&'static str, String)> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let host =
        read("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let program = std::env::current_exe().ok();
    let program =
        program.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()).map(str::to_owned);
    let container = read("/proc/self/cgroup")
        .and_then(|text| in_control_groups(&text))
        .or_else(|| read("/proc/self/mountinfo").and_then(|text| in_mounts(&text)));
    let found = [
        ("host.name", host),
        ("process.pid", Some(std::process::id().to_string())),
        ("process.executable.name", program),
        ("container.id", container),
    ];
    found.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

/// Version 1 names the container in the path of its control groups.
fn in_control_groups(text: &str) -> Option<String> {
    text.lines().filter_map(|line| line.rsplit('/').next()).find_map(|last| {
        // docker-<id>.scope, cri-containerd-<id>.scope, or the id alone
        let last = last.strip_suffix(".scope").unwrap_or(last);
        id(last.rsplit('-').next()?)
    })
}

/// Under version 2 that path is hidden, but files of the engine's are mounted into the container: `/etc/hostname`
/// comes from `…/containers/<id>/hostname`.
fn in_mounts(text: &str) -> Option<String> {
    let own = text.lines().filter(|line| line.contains("/etc/hostname") || line.contains("/etc/resolv.conf"));
    own.flat_map(|line| line.split([' ', '/'])).find_map(id)
}

fn id(text: &str) -> Option<String> {
    let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == ID_LENGTH && text.bytes().all(digits)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f0c5b6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f6071829";

    #[test]
    fn a_container_is_known_by_its_control_groups() {
        for path in [
            format!("12:cpu:/docker/{ID}\n"),
            format!("0::/system.slice/docker-{ID}.scope\n"),
            format!("1:name=systemd:/kubepods/besteffort/pod1/cri-containerd-{ID}.scope"),
        ] {
            assert_eq!(in_control_groups(&path).as_deref(), Some(ID), "{path}");
        }
        for none in ["0::/\n", "0::/user.slice/user-1000.slice/session-2.scope", ""] {
            assert_eq!(in_control_groups(none), None, "{none}");
        }
    }

    #[test]
    fn or_by_what_is_mounted_into_it() {
        let mounts = format!(
            "700 690 0:60 / / rw - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/ABC\n\
             713 700 8:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n"
        );
        assert_eq!(in_mounts(&mounts).as_deref(), Some(ID));
        assert_eq!(in_mounts("25 1 8:1 / / rw - ext4 /dev/sda1 rw\n"), None);
    }

    #[test]
    fn what_is_always_known() {
        let here = here();
        let pid = here.iter().find(|(key, _)| *key == "process.pid").unwrap();
        assert_eq!(pid.1, std::process::id().to_string());
        assert!(here.iter().all(|(_, value)| !value.is_empty()));
    }
}
