import sys, collections, traceback, time, os
U=os.path.abspath("..")
for p in ("", "/transcript","/report"): sys.path.insert(0,U+p)
import hostile as h
from hypothesis import given, settings, strategies as st
from transcripts import NAMES, recorded, section, transcript, facts as tfacts
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript import parse
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.remedies import ranked
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import fleet
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.plan import plan
TEXTS=[recorded(n) for n in NAMES]
F=[parse(t) for t in TEXTS]
seen=collections.Counter(); ex={}
def note(e, what, sample):
    tb=[t for t in traceback.extract_tb(e.__traceback__) if "vxlan_offload" in t.filename][-1]
    k=(what,type(e).__name__, tb.filename.rsplit("/",1)[-1], tb.lineno, str(e)[:80])
    seen[k]+=1; ex.setdefault(k, sample)
N=int(sys.argv[1])
S=settings(max_examples=N, database=None, deadline=None, suppress_health_check=list(h.HealthCheck))
@S
@given(h.spoiled(F))
def a(f):
    t=time.time()
    for what,fn in (("diagnose",lambda: diagnose(f)),("plan",lambda: plan(f,"auto")),("fleet",lambda: fleet({"a":{"node":f}}))):
        try: fn()
        except Exception as e: note(e,what,f)
    if time.time()-t>1: print("SLOW", time.time()-t)
a()
@S
@given(st.sampled_from(["metrics","processes","cni","flannel","calico","sysctl","counters","applied","changelog","release","uname","vxlan","addr eth0","features vxlan.calico","driver eth0","default","default6","over vxlan.calico","lookup 10.96.0.10","printers","chain nft nat POSTROUTING","legacy","legacy6","chain nftables kube-proxy masquerading"]), st.lists(st.one_of(h.words, st.sampled_from(["url configz","url proxyMode","record {","unit x","name kube-proxy","--config"]).flatmap(lambda p: h.words.map(lambda w: p+w))), max_size=6), st.integers(0,5), st.sampled_from(TEXTS))
def b(name, lines, code, base):
    # replace this section in a real transcript
    nonce=base.split("\n",1)[0].split(" ")[-1]
    out=[];skip=False
    for l in base.split("\n"):
        if l.startswith(nonce+" begin "+name) : skip=True; out+= [l,*lines, nonce+" end "+name.split(" ")[0]+" "+str(code)]; continue
        if l.startswith(nonce+" end") and skip: skip=False; continue
        if not skip: out.append(l)
    try: f=parse("\n".join(out))
    except Exception as e: note(e,"parse "+name,lines); return
    for what,fn in (("diagnose",lambda: diagnose(f)),("plan",lambda: plan(f,"auto"))):
        try: fn()
        except Exception as e: note(e,what+" "+name,lines)
b()
for k,v in seen.most_common(100): print(v,k)
