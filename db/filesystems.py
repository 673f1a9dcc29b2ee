"""Whether a path lies on a file system that SQLite can trust with its locks."""

from pathlib import Path
from typing import NamedTuple

_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs", "lustre", "ncpfs"}
    | {"nfs", "nfs4", "ocfs2", "orangefs", "smb2", "smb3", "smbfs"}
)
_LOCAL_FUSE = frozenset({"fuseblk", "fuse.ext2", "fuse.ext4", "fuse.exfat", "fuse.mergerfs", "fuse.ntfs-3g"})


class Mount(NamedTuple):
    """Where a file system is mounted, and of what kind it is."""

    point: Path
    kind: str


def network_file_system(path: Path, mountinfo: str | None = None) -> str | None:
    """Return the type of the network file system that holds `path`, None when it is a local one.

    FUSE counts as network unless known to be local. Where nothing can be told, None is returned.
    """
    mount = mount_of(path, mountinfo)
    if mount is None:
        return None
    kind = mount.kind
    if kind in _NETWORK or (kind.startswith("fuse") and kind not in _LOCAL_FUSE):
        return kind
    return None


def mount_of(path: Path, mountinfo: str | None = None) -> Mount | None:
    """Return the mount that holds `path`, None where nothing can be told (not Linux).

    `mountinfo` is the text of Linux's /proc/self/mountinfo, read when not given.
    """
    if mountinfo is None:
        source = Path("/proc/self/mountinfo")
        if not source.exists():
            return None
        mountinfo = source.read_text(encoding="utf-8", errors="surrogateescape")
    target = path.resolve()
    holder = Mount(Path("/"), "")
    for line in mountinfo.splitlines():
        mount_point, file_system = _parse(line)
        # Later mounts cover earlier ones, hence >=.
        if target.is_relative_to(mount_point) and len(mount_point.parts) >= len(holder.point.parts):
            holder = Mount(mount_point, file_system)
    return holder


def _parse(line: str) -> tuple[Path, str]:
    """Split one mountinfo line (proc_pid_mountinfo(5)): the optional fields end at a lone dash."""
    fields = line.split(" ")
    kind = fields[fields.index("-") + 1]
    mount_point = fields[4]
    for escape, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        mount_point = mount_point.replace(escape, character)
    return Path(mount_point), kind
