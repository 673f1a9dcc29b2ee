"""Mounted file systems, and whether SQLite can rely on their locks."""

from dataclasses import dataclass
from pathlib import Path

_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs", "lustre", "ncpfs"}
    | {"nfs", "nfs4", "ocfs2", "orangefs", "smb2", "smb3", "smbfs"}
)
_LOCAL_FUSE = frozenset({"fuseblk", "fuse.ext2", "fuse.ext4", "fuse.exfat", "fuse.mergerfs", "fuse.ntfs-3g"})


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of /proc/self/mountinfo (proc_pid_mountinfo(5))."""

    point: Path
    device: str
    root: Path
    """The folder of the device that is mounted at `point`; not `/` for a bind mount."""
    kind: str


def mounts(mountinfo: str | None = None) -> list[Mount]:
    """Return all mounts in order; empty where the system does not list them.

    `mountinfo` is the text of /proc/self/mountinfo, read when not given.
    """
    if mountinfo is None:
        source = Path("/proc/self/mountinfo")
        if not source.exists():
            return []
        mountinfo = source.read_text(encoding="utf-8", errors="surrogateescape")
    return [_parse(line) for line in mountinfo.splitlines()]


def network_file_system(path: Path, mountinfo: str | None = None) -> str | None:
    """Return the type of the network file system that holds `path`, None when it is a local one.

    FUSE file systems count as network unless known to be local. None where the mount is unknown (not Linux).
    """
    mount = mount_of(path, mountinfo)
    if mount is None:
        return None
    kind = mount.kind
    if kind in _NETWORK or (kind.startswith("fuse") and kind not in _LOCAL_FUSE):
        return kind
    return None


def mount_of(path: Path, mountinfo: str | None = None) -> Mount | None:
    """Return the mount that holds `path`, None where it is unknown (not Linux).

    `mountinfo` is the text of Linux's /proc/self/mountinfo, read when not given.
    """
    target = path.resolve()
    holder = None
    for mount in mounts(mountinfo):
        # Later mounts cover earlier ones, hence >=.
        covers = holder is None or len(mount.point.parts) >= len(holder.point.parts)
        if covers and target.is_relative_to(mount.point):
            holder = mount
    return holder


def _parse(line: str) -> Mount:
    """Parse one line; its optional fields end at a single dash."""
    fields = line.split(" ")
    return Mount(_path(fields[4]), fields[2], _path(fields[3]), fields[fields.index("-") + 1])


def _path(text: str) -> Path:
    for escape, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(escape, character)
    return Path(text)
