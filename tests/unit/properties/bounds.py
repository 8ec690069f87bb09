import sys, time, os, resource, tracemalloc
U=os.path.abspath("..")
for p in ("", "/transcript","/report"): sys.path.insert(0,U+p)
from transcripts import NAMES, recorded, section, transcript, NONCE
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.transcript import parse
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.diagnosis import diagnose
from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils.fleet import fleet
base=recorded("kube_proxy_1_17_nft"); nonce=base.split("\n",1)[0].split(" ")[-1]
def put(name, lines):
    out=[];skip=False;done=False
    for l in base.split("\n"):
        if l.startswith(nonce+" begin "+name) and not done: skip=True; done=True; out+= [l,*lines]; continue
        if l.startswith(nonce+" end") and skip: skip=False
        if not skip: out.append(l)
    assert done, name
    return "\n".join(out)
def add(sections):
    i=base.rindex(nonce+" complete")
    return base[:i]+"\n".join(nonce+" begin "+n+"\n"+"\n".join(ls)+"\n"+nonce+" end "+n.split(" ")[0]+" 0" for n,ls in sections)+"\n"+base[i:]
def chain(name, lines): return ("chain nft nat "+name, ["-N "+name]+["-A %s %s"%(name,l) for l in lines])
P="chain nft nat POSTROUTING"; H=["-P POSTROUTING ACCEPT"]
def rules(ls): return H+["-A POSTROUTING "+l for l in ls]
R="-m statistic --mode random --probability 0.5 "
cases={
 "plain": lambda: base,
 "1e6 rules": lambda: put(P, rules(["-m comment --comment x%d -j ACCEPT"%i for i in range(1000000)])),
 "50MB one line": lambda: put(P, rules(["x"*50_000_000])),
 "50MB spaces": lambda: put("vxlan", [" "*50_000_000]),
 "50MB of lines outside": lambda: base+"\n"*50_000_000,
 "50MB before": lambda: "x\n"*25_000_000+base,
 "maybe marks+accept": lambda: put(P, rules([l for i in range(1000) for l in (R+"-j MARK --set-xmark 0x%x/0xffff"%i, R+"-j ACCEPT")])),
 "maybe or-marks": lambda: put(P, rules([R+"-j MARK --set-xmark 0x%x/0x%x"%(1<<(i%32),1<<(i%32)) for i in range(2000)])),
 "maybe marks masq": lambda: put(P, rules([l for i in range(1000) for l in (R+"-j MARK --set-xmark 0x%x/0xffff"%i, R+"-j MASQUERADE --to-ports %d"%i)])),
 "log trace": lambda: put(P, rules([R+"-j LOG" for i in range(2000)])),
 "doubling": lambda: add([chain("C%d"%i, ["-j C%d"%(i+1)]*2) for i in range(60)]+[chain("C60",["-j LOG"])]).replace(nonce+" begin "+P+"\n"+"-P POSTROUTING ACCEPT", nonce+" begin "+P+"\n-P POSTROUTING ACCEPT\n-A POSTROUTING -j C0"),
 "doubling maybe marks": lambda: add([chain("C%d"%i, [R+"-j MARK --set-xmark 0x%x/0xff"%(i*4+k) for k in range(30)]+[R+"-j C%d"%(i+1)]*200) for i in range(60)]+[chain("C60",["-j LOG"])]).replace(nonce+" begin "+P+"\n"+"-P POSTROUTING ACCEPT", nonce+" begin "+P+"\n-P POSTROUTING ACCEPT\n-A POSTROUTING -j C0"),
 "64 chains x 2000 maybe": lambda: add([chain("C%d"%i, [R+"-j MARK --set-xmark 0x%x/0xffff"%(i*2000+k) for k in range(2000)]) for i in range(60)]).replace(nonce+" begin "+P+"\n"+"-P POSTROUTING ACCEPT", nonce+" begin "+P+"\n-P POSTROUTING ACCEPT\n"+"\n".join("-A POSTROUTING "+R+"-j C%d"%i for i in range(60))),
 "1000 devices": lambda: put("vxlan", ["%d: vx%d: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN mode DEFAULT group default \\    link/ether 66:76:de:38:cd:64 brd ff:ff:ff:ff:ff:ff promiscuity 0 \\    vxlan id %d local 10.1.0.11 dev eth0 srcport 0 0 dstport 4789 nolearning ttl auto ageing 300 udpcsum noudp6zerocsumtx"%(i,i,i) for i in range(1000)]),
 "1e5 sections": lambda: add([("addr d%d"%i,["x"]) for i in range(100000)]),
 "1e4 chains": lambda: add([chain("C%d"%i, ["-j C%d"%(i+1)]) for i in range(10000)]).replace(nonce+" begin "+P+"\n"+"-P POSTROUTING ACCEPT", nonce+" begin "+P+"\n-P POSTROUTING ACCEPT\n-A POSTROUTING -j C0"),
 "services": lambda: add([("lookup 10.96.%d.%d"%(i//250,i%250),["x dev eth0 src 10.1.0.11"]) for i in range(20000)]),
 "cidrs": lambda: put("metrics", ["url configz",'{"kubeproxy.config.k8s.io":{"clusterCIDR":"'+",".join("10.%d.%d.0/24"%(i//250%250,i%250) for i in range(100000))+'"}}',"url metrics",'kubernetes_build_info{git_version="v1.17.5"}']) if "metrics" in base else base,
 "long cidr rule": lambda: put(P, rules(["-s "+",".join("10.%d.%d.0/24"%(i//250%250,i%250) for i in range(10000))+" "+R+"-j MASQUERADE"]*200)),
}
want=sys.argv[1:] or list(cases)
for name in want:
    if os.fork(): 
        pid,st,ru=os.wait3(0); continue
    resource.setrlimit(resource.RLIMIT_AS,(3<<30,3<<30)); resource.setrlimit(resource.RLIMIT_CPU,(60,60))
    text=cases[name]()
    t=time.process_time()
    try:
        f=parse(text); t1=time.process_time(); m1=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss>>10
        d=diagnose(f); t2=time.process_time()
        from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import effort; print(effort.MOST-effort._Effort.left, "%-24s %6.1f MB text, parse %.2f s (%d MB), diagnose %.2f s (%d MB) %s %s"%(name,len(text)/1e6,t1-t,m1,t2-t1,resource.getrusage(resource.RUSAGE_SELF).ru_maxrss>>10,d["status"],len(str(d))),d["summary"][:60],flush=True)
    except BaseException as e: from ansible_collections.kubenet.vxlan_offload.plugins.plugin_utils import effort; print(effort.MOST-effort._Effort.left, name,"FAIL",resource.getrusage(resource.RUSAGE_SELF).ru_maxrss>>10,time.process_time()-t,type(e),str(e)[:100],flush=True)
    os._exit(0)
