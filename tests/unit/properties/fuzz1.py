import sys, collections, traceback, random, time
import os; U=os.path.abspath("..")
for p in ("",  "/transcript","/report"): sys.path.insert(0,U+p)
import hostile as h
from hypothesis import given, settings
from transcripts import NAMES, recorded
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript import parse
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import fleet
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.plan import plan
TEXTS=[recorded(n) for n in NAMES]
seen=collections.Counter(); ex={}
def note(e, what, sample):
    tb=traceback.extract_tb(e.__traceback__)[-1]
    k=(what,type(e).__name__, tb.filename.rsplit("/",1)[-1], tb.lineno, str(e)[:80])
    seen[k]+=1; ex.setdefault(k, sample)
N=int(sys.argv[1])
import re
def run(text):
    try:
        f=parse(text)
    except ValueError as e:
        if "no probe transcript" in str(e) or "probe version" in str(e): return
        note(e,"parse",text); return
    except Exception as e:
        note(e,"parse",text); return
    t=time.time()
    for what,fn in (("diagnose",lambda: diagnose(f)),("plan",lambda: plan(f,"auto")),("plan2",lambda: plan(f,"tx_checksum_off"))):
        try: fn()
        except Exception as e: note(e,what,text)
    if time.time()-t>1: print("SLOW", time.time()-t)
@settings(max_examples=N, database=None, deadline=None, suppress_health_check=list(h.HealthCheck))
@given(h.mutated(TEXTS, 8))
def a(text): run(text)
@settings(max_examples=N, database=None, deadline=None, suppress_health_check=list(h.HealthCheck))
@given(h.mutated([t for t in TEXTS], 8, "\x01"))
def b(text): run(text)
def framed(t): return t
a()
for k,v in seen.most_common(60): print(v,k)
