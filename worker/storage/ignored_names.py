"""Ignored names in the inbox: files of operating systems, sync tools and unfinished transfers.

The names are documented by their makers: recycle bins and snapshots of Synology, QNAP, NetApp, TrueNAS,
Thecus, Buffalo, Asustor, Samba, Windows and macOS; transfers under way of browsers, torrent programs, rsync,
rclone, lftp, ProFTPD, WinSCP, Resilio, Syncthing, Nextcloud, and of the tools of Amazon and Google.
"""

import re

_FOLDERS = re.compile(
    rb"""(?isx)
      \..+  # hidden: .zfs, .snapshot, .Trashes, .@__thumb, .stversions
    | \#recycle | \#snapshot | @eadir | @tmp | @sharebin | @sharesnap | @snapshots?  # Synology
    | @recycle | @recently-snapshot | @__thumb | @transcode | @upload_cache  # QNAP
    | @gmt-[0-9.-]+  # previous versions, as Samba shows them
    | ~snapshot | ~snapsht  # NetApp
    | _nas_recycle_.* | trashbox | network[ ]recycle[ ]bin  # Thecus, Buffalo, Asustor
    | \$recycle(\.bin)? | recycler | recycled | recycle[ ]bin
    | system[ ]volume[ ]information | found\.[0-9]{3}
    | network[ ]trash[ ]folder | temporary[ ]items | thevolumesettingsfolder | __macosx  # macOS
    | lost\+found
    | .+\.(download | lrdata | sb-.*)  # Safari, Lightroom's previews, macOS
    """
)
_FILES = re.compile(
    rb"""(?isx)
      \..+  # hidden: .in.*, .rsync-partial, .name.XXXXXX, .ftpquota
    | thumbs\.db(:encryptable)? | ehthumbs(_vista)?\.db | desktop\.ini | icon\r
    | ~\$.* | .*~ | ~syncthing~.* | \#.*\#
    | .*\.(
          part | partial | filepart | dtapart | partfile | dlpart
        | download | crdownload | opdownload | fdmdownload | wkdownload | xltd | td(\.cfg)?
        | upload | uploading | downloading | inprogress | incomplete | unfinished
        | ![a-z0-9]+ | (bc|jc|ut|ob)!  # torrents, Resilio; BitComet, FlashGet
        | aria2(__temp)? | lftp-pget-status | bts | rsls[a-z]* | mega
        | sb-.*  # macOS, while it saves
        | tmp | temp | swp | swo | bak | bkp | backup | lock | lck
      )
    | .*_\.gstmp
    | .*\.(tiff?|jpe?g|jp2|png|p[bgnp]m|bmp|gif|webp)\.(?=[0-9]*[a-f])[0-9a-f]{8}  # the AWS CLI
    """
)


def ignored_folder(name: bytes) -> bool:
    """Return whether a folder of this name is ignored with all that it contains."""
    return _FOLDERS.fullmatch(name) is not None


def ignored_file(name: bytes) -> bool:
    """Return whether a file of this name is ignored; once renamed it is found."""
    return _FILES.fullmatch(name) is not None


def ignored(relative: bytes) -> bool:
    """Return whether the path (relative to the inbox) is ignored for its own name or that of a folder."""
    *folders, name = relative.split(b"/")
    return ignored_file(name) or any(map(ignored_folder, folders))
