"""Files: inputs that are regular files, and outputs that never replace another's by accident."""

from icfast.files.atomic import atomic_path as atomic_path
from icfast.files.atomic import write_json as write_json
from icfast.files.inputs import open_regular as open_regular
from icfast.files.inputs import read_regular as read_regular
from icfast.files.inputs import require_regular as require_regular
from icfast.files.names import shown_name as shown_name
from icfast.files.names import shown_path as shown_path
from icfast.files.names import utf8_text as utf8_text
from icfast.files.opened import OpenedFile as OpenedFile
from icfast.files.outputs import Output as Output
from icfast.files.outputs import check_outputs as check_outputs
from icfast.files.outputs import new_file as new_file
from icfast.files.outputs import new_files as new_files
from icfast.files.sweep import sweep as sweep
from icfast.files.temporaries import kept_folder as kept_folder
from icfast.files.temporaries import scratch_folder as scratch_folder
from icfast.files.temporaries import unnamed_file as unnamed_file
