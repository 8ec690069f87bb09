import sys, os
U=os.path.abspath("..")
for p in ("", "/transcript","/report"): sys.path.insert(0,U+p)
from transcripts import NAMES, recorded
from reasoning import build as b
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript import parse
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import effort
u=[]
for n in NAMES:
    diagnose(parse(recorded(n))); u.append((effort.MOST-effort._Effort.left,n))
for p in b.RULES.glob("*.rules"):
    diagnose(b.facts(p.stem)); u.append((effort.MOST-effort._Effort.left,p.stem))
print(sorted(u)[-4:])
