BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE attempt (
	token TEXT NOT NULL, 
	task_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	device_id TEXT NOT NULL, 
	session_id TEXT NOT NULL, 
	request_id TEXT NOT NULL, 
	bench_domain TEXT NOT NULL, 
	facts_id INTEGER NOT NULL, 
	leased_at TEXT NOT NULL, 
	started_at TEXT, 
	ended_at TEXT, 
	failure_kind TEXT, 
	failure_message TEXT, 
	phase TEXT, 
	exit_code INTEGER, 
	signal TEXT, 
	peak_rss_bytes INTEGER, 
	PRIMARY KEY (token), 
	UNIQUE (session_id, request_id), 
	UNIQUE (task_id, number), 
	FOREIGN KEY(task_id) REFERENCES task (id), 
	FOREIGN KEY(device_id) REFERENCES device (id), 
	FOREIGN KEY(session_id) REFERENCES session (id), 
	FOREIGN KEY(facts_id) REFERENCES facts (id)
);
INSERT INTO "attempt" VALUES('2224c01b8fd8778a2587232671426b18',1,1,'COMMITTED','e4d1082ad74a442bafefe3bcfa459fdc','78b5961d9d5946a4b9c7dcaa0979d595','3d0fab94ad8344c1b7b0a581d87412e1','c7b44b1d-cc4b-40bd-bbf1-c4a29aa6e790/cpu',1,'2026-11-28T22:34:51.743+00:00','2026-11-28T22:34:59.470+00:00','2026-11-28T22:34:59.947+00:00',NULL,NULL,NULL,NULL,NULL,36913152);
INSERT INTO "attempt" VALUES('bec0ae4f33dea23c37854c98fd02b775',2,1,'COMMITTED','e4d1082ad74a442bafefe3bcfa459fdc','78b5961d9d5946a4b9c7dcaa0979d595','9691a37d412b471ab5127a7ea8992ce4','c7b44b1d-cc4b-40bd-bbf1-c4a29aa6e790/cpu',1,'2026-11-28T22:34:59.995+00:00','2026-11-28T22:35:07.862+00:00','2026-11-28T22:35:08.666+00:00',NULL,NULL,NULL,NULL,NULL,46936064);
INSERT INTO "attempt" VALUES('b37cfcc6ab1b0f548f01e1878effa354',3,1,'COMMITTED','e4d1082ad74a442bafefe3bcfa459fdc','78b5961d9d5946a4b9c7dcaa0979d595','730943918bc649bf84da568e76293a7e','c7b44b1d-cc4b-40bd-bbf1-c4a29aa6e790/cpu',1,'2026-11-28T22:35:08.704+00:00','2026-11-28T22:35:08.934+00:00','2026-11-28T22:35:09.904+00:00',NULL,NULL,NULL,NULL,NULL,47599616);
INSERT INTO "attempt" VALUES('ed5601cd8686f52124c2e15d6e3e51f6',4,1,'COMMITTED','e4d1082ad74a442bafefe3bcfa459fdc','78b5961d9d5946a4b9c7dcaa0979d595','9048c6471ac94f4a8e3a0458c48e679d','c7b44b1d-cc4b-40bd-bbf1-c4a29aa6e790/cpu',1,'2026-11-28T22:35:13.402+00:00','2026-11-28T22:35:13.634+00:00','2026-11-28T22:35:14.355+00:00',NULL,NULL,NULL,NULL,NULL,69046272);
INSERT INTO "attempt" VALUES('387ab00b155fefaa0be6f268698504f5',5,1,'COMMITTED','e4d1082ad74a442bafefe3bcfa459fdc','78b5961d9d5946a4b9c7dcaa0979d595','9c8c77da8fe94be78e413d95b29b4f54','c7b44b1d-cc4b-40bd-bbf1-c4a29aa6e790/cpu',1,'2026-11-28T22:35:14.376+00:00','2026-11-28T22:35:14.588+00:00','2026-11-28T22:35:15.169+00:00',NULL,NULL,NULL,NULL,NULL,68837376);
INSERT INTO "attempt" VALUES('63afaab9cd4780bcbac9f0f847776aa7',6,1,'COMMITTED','e4d1082ad74a442bafefe3bcfa459fdc','78b5961d9d5946a4b9c7dcaa0979d595','2df21627a114484ea6f5b78fe281a941','c7b44b1d-cc4b-40bd-bbf1-c4a29aa6e790/cpu',1,'2026-11-28T22:35:15.186+00:00','2026-11-28T22:35:15.394+00:00','2026-11-28T22:35:20.709+00:00',NULL,NULL,NULL,NULL,NULL,76357632);
INSERT INTO "attempt" VALUES('170e2b872edd0612780123fb9c908fc3',7,1,'COMMITTED','e4d1082ad74a442bafefe3bcfa459fdc','78b5961d9d5946a4b9c7dcaa0979d595','61e346ae6e8e4dd9948c889bc97d2f6a','c7b44b1d-cc4b-40bd-bbf1-c4a29aa6e790/cpu',1,'2026-11-28T22:35:20.752+00:00','2026-11-28T22:35:20.960+00:00','2026-11-28T22:35:26.151+00:00',NULL,NULL,NULL,NULL,NULL,77676544);
INSERT INTO "attempt" VALUES('3987935ca1efa9b280fd4eeb61c14648',8,1,'FAILED','e4d1082ad74a442bafefe3bcfa459fdc','78b5961d9d5946a4b9c7dcaa0979d595','1abe21bb0dcd4b8aa4958201ac0e82b4','c7b44b1d-cc4b-40bd-bbf1-c4a29aa6e790/cpu',1,'2026-11-28T22:35:29.582+00:00','2026-11-28T22:35:34.413+00:00','2026-11-28T22:35:34.807+00:00','CRASHED','the child died of SIGABRT: INFO __main__ task 8 build simulated-fp32-b1-cpu begins','build',NULL,'SIGABRT',NULL);
INSERT INTO "attempt" VALUES('0d500330c0703e6ca712707c98bf52cb',8,2,'FAILED','e4d1082ad74a442bafefe3bcfa459fdc','78b5961d9d5946a4b9c7dcaa0979d595','1a4ed2689eff4e4c891a5ac9dec4125c','c7b44b1d-cc4b-40bd-bbf1-c4a29aa6e790/cpu',1,'2026-11-28T22:35:34.860+00:00','2026-11-28T22:35:50.156+00:00','2026-11-28T22:35:50.611+00:00','CRASHED','the child died of SIGABRT: INFO __main__ task 8 build simulated-fp32-b1-cpu begins','build',NULL,'SIGABRT',NULL);
INSERT INTO "attempt" VALUES('6e9c39c8804c04d794ace5d29beb4825',10,1,'COMMITTED','e4d1082ad74a442bafefe3bcfa459fdc','78b5961d9d5946a4b9c7dcaa0979d595','62cef197c9514cdca717393932288320','c7b44b1d-cc4b-40bd-bbf1-c4a29aa6e790/cpu',1,'2026-11-28T22:35:52.953+00:00','2026-11-28T22:35:53.190+00:00','2026-11-28T22:35:53.714+00:00',NULL,NULL,NULL,NULL,NULL,36913152);
INSERT INTO "attempt" VALUES('872acfa819d5b93d96c45829c5c95ad1',11,1,'RUNNING','e4d1082ad74a442bafefe3bcfa459fdc','78b5961d9d5946a4b9c7dcaa0979d595','23907c8f4b464812a9358df1215af634','c7b44b1d-cc4b-40bd-bbf1-c4a29aa6e790/cpu',1,'2026-11-28T22:35:53.760+00:00','2026-11-28T22:35:53.988+00:00',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE attempt_artifact (
	attempt_token TEXT NOT NULL, 
	role TEXT NOT NULL, 
	name TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	PRIMARY KEY (attempt_token, role, name), 
	FOREIGN KEY(attempt_token) REFERENCES attempt (token)
);
INSERT INTO "attempt_artifact" VALUES('2224c01b8fd8778a2587232671426b18','environment','environment.json','7a801c81c67b5ffc219b93d1d64b50e43a1a146a80c904d6e836e22d60869b73',341);
INSERT INTO "attempt_artifact" VALUES('2224c01b8fd8778a2587232671426b18','log','log.txt','d713a1dd742c9b5c6b848ee7525ef731ae6b1fe1f992d06d6a19fb8d6df35759',56);
INSERT INTO "attempt_artifact" VALUES('bec0ae4f33dea23c37854c98fd02b775','environment','environment.json','ea2d44e6e404a9a696e5e86cc667e2b8151c5a7b7e5dd7e7819224f7ec77972d',384);
INSERT INTO "attempt_artifact" VALUES('bec0ae4f33dea23c37854c98fd02b775','log','log.txt','f5681614c0454b5bbd6cffb164e4df9d7a807d4c00b0cba4efc92acca37a8e62',56);
INSERT INTO "attempt_artifact" VALUES('b37cfcc6ab1b0f548f01e1878effa354','environment','environment.json','22b42e172758dc97566e4b4d2cef158a4a820eb241659905f4b9b252a9c92bf0',435);
INSERT INTO "attempt_artifact" VALUES('b37cfcc6ab1b0f548f01e1878effa354','log','log.txt','7aace5eb17de25df0d90c90bcd9282753ffe65629f8e0fb7a7bcb8cf79c3d0b6',60);
INSERT INTO "attempt_artifact" VALUES('ed5601cd8686f52124c2e15d6e3e51f6','environment','environment.json','c987a015d71ed5a3c4b889f2f5f2e2c26095426b6ed71d13b547676c1802bdcd',340);
INSERT INTO "attempt_artifact" VALUES('ed5601cd8686f52124c2e15d6e3e51f6','log','log.txt','f79629144cb6c7c50772b0f5c153aadc6cc3b7e752bd4f4c1566fd0707e2eb15',419);
INSERT INTO "attempt_artifact" VALUES('387ab00b155fefaa0be6f268698504f5','environment','environment.json','0d527c7481d900121d038798856936cd1fa0cb87cc64aba05ae9c81afa5cbadf',340);
INSERT INTO "attempt_artifact" VALUES('387ab00b155fefaa0be6f268698504f5','log','log.txt','31fccccb663333b3bdb2624214727c73e2d2523e82fb1eedef0edeef2600f2ae',419);
INSERT INTO "attempt_artifact" VALUES('63afaab9cd4780bcbac9f0f847776aa7','layer-profile','layer-profile.json','3aeae4417195fd93375e7e9a651ea462cb672d470541488df48f98776e2e583a',586);
INSERT INTO "attempt_artifact" VALUES('63afaab9cd4780bcbac9f0f847776aa7','environment','environment.json','b27b4bf00bdd65dda4cf741c3add5e05f26019f49a60f49ad5bd09e06410638f',642);
INSERT INTO "attempt_artifact" VALUES('63afaab9cd4780bcbac9f0f847776aa7','log','log-2.txt','249ab463b67167f260610e1c3fd95c39fe4a2e051e14384b9527f30a18938484',58);
INSERT INTO "attempt_artifact" VALUES('63afaab9cd4780bcbac9f0f847776aa7','log','log.txt','249ab463b67167f260610e1c3fd95c39fe4a2e051e14384b9527f30a18938484',58);
INSERT INTO "attempt_artifact" VALUES('170e2b872edd0612780123fb9c908fc3','layer-profile','layer-profile.json','fdb8ee6e6700d0c8578b922e0db5fecfd3b938d7f6ccdbbdd9595437df808b1e',767);
INSERT INTO "attempt_artifact" VALUES('170e2b872edd0612780123fb9c908fc3','environment','environment.json','361d652e425013dacfe15513311c29a0b81c1a005ba4faef5d945fc48af63865',639);
INSERT INTO "attempt_artifact" VALUES('170e2b872edd0612780123fb9c908fc3','log','log-2.txt','378ea84b5a9500f2fe600cb623b162cf1a38bbeeb9f9c331d88bf4f91698c7ff',58);
INSERT INTO "attempt_artifact" VALUES('170e2b872edd0612780123fb9c908fc3','log','log.txt','378ea84b5a9500f2fe600cb623b162cf1a38bbeeb9f9c331d88bf4f91698c7ff',58);
INSERT INTO "attempt_artifact" VALUES('3987935ca1efa9b280fd4eeb61c14648','log','log.txt','46aa09ae66b400d7085809b989c3ab5213d52d6a71fe1f0d9398f3567e917a56',56);
INSERT INTO "attempt_artifact" VALUES('0d500330c0703e6ca712707c98bf52cb','log','log.txt','46aa09ae66b400d7085809b989c3ab5213d52d6a71fe1f0d9398f3567e917a56',56);
INSERT INTO "attempt_artifact" VALUES('6e9c39c8804c04d794ace5d29beb4825','environment','environment.json','07ff862751e745593958ca02f1763b381813a733ac048280fe58980109b8b8ae',332);
INSERT INTO "attempt_artifact" VALUES('6e9c39c8804c04d794ace5d29beb4825','log','log.txt','195ad0dbc02be2b80cad647908cac28389c2e611cac88a6d6f7ceacab79dfed3',57);
CREATE TABLE device (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	hardware_serial TEXT NOT NULL, 
	facts_id INTEGER NOT NULL, 
	session_id TEXT, 
	cordoned TEXT DEFAULT '' NOT NULL, 
	first_seen_at TEXT NOT NULL, 
	last_seen_at TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name), 
	FOREIGN KEY(facts_id) REFERENCES facts (id)
);
INSERT INTO "device" VALUES('e4d1082ad74a442bafefe3bcfa459fdc','local-1','',1,'78b5961d9d5946a4b9c7dcaa0979d595','','2026-11-28T22:34:48.836+00:00','2026-11-28T22:35:56.697+00:00');
CREATE TABLE engine (
	"key" TEXT NOT NULL, 
	runtime TEXT NOT NULL, 
	runtime_version TEXT NOT NULL, 
	precision TEXT NOT NULL, 
	lowering TEXT NOT NULL, 
	placement TEXT NOT NULL, 
	recipe TEXT NOT NULL, 
	class_key TEXT NOT NULL, 
	class_fields TEXT NOT NULL, 
	sha256 TEXT, 
	size_bytes INTEGER, 
	build_s FLOAT, 
	power_mode TEXT, 
	report TEXT, 
	built_by TEXT, 
	built_at TEXT, 
	PRIMARY KEY ("key")
);
INSERT INTO "engine" VALUES('985deeaa5f43d711acf6289bcc51eefeb653f56a757cec59189da7a34f3451c6','simulated','1.0','fp32','typed-graph','cpu','{"artifacts":[{"name":"model.onnx","role":"model-fp32","sha256":"328d8410e33763039f0bf1572c39d4ab091363bf73d292817c58be59b20a65bd","size_bytes":41955}],"inputs":[{"dtype":"float32","name":"image","range":null,"shape":[1,3,32,32]}],"lowering":"typed-graph","options":{"latency_ms":"2"},"placement":"cpu","precision":"fp32","runtime":"simulated","runtime_version":"1.0"}','fc419613bd22df73b181c2e91713c7e5896fdf715d7955623ce5ef68261ebc29','{"arch":"x86_64"}','afd321ba784355ae20b7f70381af785478cee8367b54885ff89f71d809787922',103,0.001027763,NULL,'{"device_memory_bytes":null,"dla":null,"peak_device_bytes":null,"peak_rss_bytes":36913152,"tactics_skipped":null,"timing_cache":null,"warnings":[]}','2224c01b8fd8778a2587232671426b18','2026-11-28T22:34:59.948+00:00');
INSERT INTO "engine" VALUES('a22d86285b94bf6a98edbf7c5d72b3ed9595b6f676ef1c4ca9c98899d83b40ce','onnxruntime','1.32.0','fp32','typed-graph','cpu','{"artifacts":[{"name":"model.onnx","role":"model-fp32","sha256":"328d8410e33763039f0bf1572c39d4ab091363bf73d292817c58be59b20a65bd","size_bytes":41955}],"inputs":[{"dtype":"float32","name":"image","range":null,"shape":[1,3,32,32]}],"lowering":"typed-graph","options":{},"placement":"cpu","precision":"fp32","runtime":"onnxruntime","runtime_version":"1.32.0"}','c0c845c2e554c72b26d4098a1f2f10ede38eeb7fcfcbcfc52045a20aeccee5c0','{"arch":"x86_64","cpu_isa":"3dnowprefetch abm adx aes apic arat avx avx2 avx512_bf16 avx512_bitalg avx512_vbmi2 avx512_vnni avx512_vpopcntdq avx512bw avx512cd avx512dq avx512f avx512ifma avx512vbmi avx512vl bmi1 bmi2 clflush clflushopt clwb clzero cmov cmp_legacy constant_tsc cpuid cr8_legacy cx16 cx8 de erms extd_apicid f16c fma fpu fsgsbase fsrm fxsr fxsr_opt gfni ht hypervisor invpcid lahf_lm lm mca mce misalignsse mmx mmxext movbe msr mtrr nonstop_tsc nopl nx osvw pae pat pcid pclmulqdq pdpe1gb pge pni popcnt pse pse36 rdpid rdrand rdseed rdtscp rep_good sep sha_ni smap smep sse sse2 sse4_1 sse4_2 sse4a ssse3 syscall topoext tsc tsc_adjust tsc_deadline_timer tsc_known_freq umip vaes vme vmmcall vpclmulqdq x2apic xgetbv1 xsave xsavec xsaveerptr xsaveopt xsaves xtopology","cpu_model":"AMD EPYC"}','79f86eb8f621bd30ba8d835ba033cf5285e06013ba0f733b077298dc491d6d46',42658,0.061886761,NULL,'{"device_memory_bytes":null,"dla":null,"peak_device_bytes":null,"peak_rss_bytes":69046272,"tactics_skipped":null,"timing_cache":null,"warnings":[]}','ed5601cd8686f52124c2e15d6e3e51f6','2026-11-28T22:35:14.355+00:00');
INSERT INTO "engine" VALUES('bd6bd55ab93d30daf64d62f644ddade1626908d9c39382fd05ebe8ec2e5e6eec','onnxruntime','1.32.0','fp16','typed-graph','cpu','{"artifacts":[{"name":"model-fp16.onnx","role":"model-fp16","sha256":"9d24751341967842b37055c2da4cf999032e73a9a9319f5322c26854e547de41","size_bytes":21746}],"inputs":[{"dtype":"float32","name":"image","range":null,"shape":[1,3,32,32]}],"lowering":"typed-graph","options":{},"placement":"cpu","precision":"fp16","runtime":"onnxruntime","runtime_version":"1.32.0"}','c0c845c2e554c72b26d4098a1f2f10ede38eeb7fcfcbcfc52045a20aeccee5c0','{"arch":"x86_64","cpu_isa":"3dnowprefetch abm adx aes apic arat avx avx2 avx512_bf16 avx512_bitalg avx512_vbmi2 avx512_vnni avx512_vpopcntdq avx512bw avx512cd avx512dq avx512f avx512ifma avx512vbmi avx512vl bmi1 bmi2 clflush clflushopt clwb clzero cmov cmp_legacy constant_tsc cpuid cr8_legacy cx16 cx8 de erms extd_apicid f16c fma fpu fsgsbase fsrm fxsr fxsr_opt gfni ht hypervisor invpcid lahf_lm lm mca mce misalignsse mmx mmxext movbe msr mtrr nonstop_tsc nopl nx osvw pae pat pcid pclmulqdq pdpe1gb pge pni popcnt pse pse36 rdpid rdrand rdseed rdtscp rep_good sep sha_ni smap smep sse sse2 sse4_1 sse4_2 sse4a ssse3 syscall topoext tsc tsc_adjust tsc_deadline_timer tsc_known_freq umip vaes vme vmmcall vpclmulqdq x2apic xgetbv1 xsave xsavec xsaveerptr xsaveopt xsaves xtopology","cpu_model":"AMD EPYC"}','fcbc90407fb57a0ad5a373f970cf7f6ac10098a1f7a08be9ac1f4d6af253196e',43405,0.033494346,NULL,'{"device_memory_bytes":null,"dla":null,"peak_device_bytes":null,"peak_rss_bytes":68837376,"tactics_skipped":null,"timing_cache":null,"warnings":[]}','387ab00b155fefaa0be6f268698504f5','2026-11-28T22:35:15.169+00:00');
INSERT INTO "engine" VALUES('389d16a6bfe39aef84b0e6065cb86eb9684f0e30f9fea475d4e0f5f47a7cccbc','simulated','1.0','fp32','typed-graph','cpu','{"artifacts":[{"name":"model.onnx","role":"model-fp32","sha256":"328d8410e33763039f0bf1572c39d4ab091363bf73d292817c58be59b20a65bd","size_bytes":41955}],"inputs":[{"dtype":"float32","name":"image","range":null,"shape":[1,3,32,32]}],"lowering":"typed-graph","options":{"fail":"crash"},"placement":"cpu","precision":"fp32","runtime":"simulated","runtime_version":"1.0"}','fc419613bd22df73b181c2e91713c7e5896fdf715d7955623ce5ef68261ebc29','{"arch":"x86_64"}',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "engine" VALUES('d343dc35a51be97430f46aba23e8e9f12d7d99f5101d8bc208eba412bb443a9f','simulated','1.0','fp32','typed-graph','cpu','{"artifacts":[{"name":"model.onnx","role":"model-fp32","sha256":"328d8410e33763039f0bf1572c39d4ab091363bf73d292817c58be59b20a65bd","size_bytes":41955}],"inputs":[{"dtype":"float32","name":"image","range":null,"shape":[1,3,32,32]}],"lowering":"typed-graph","options":{"latency_ms":"50","wall":"1"},"placement":"cpu","precision":"fp32","runtime":"simulated","runtime_version":"1.0"}','fc419613bd22df73b181c2e91713c7e5896fdf715d7955623ce5ef68261ebc29','{"arch":"x86_64"}','9f9233fc212e510ff6eb0d58c83eb003f81fa076789f3f14134b866d3eb7350a',103,0.003684388,NULL,'{"device_memory_bytes":null,"dla":null,"peak_device_bytes":null,"peak_rss_bytes":36913152,"tactics_skipped":null,"timing_cache":null,"warnings":[]}','6e9c39c8804c04d794ace5d29beb4825','2026-11-28T22:35:53.715+00:00');
INSERT INTO "engine" VALUES('379a69e4d1493201b17f81796b17c9192d8367d0530de7dc860116ae21d24ca9','simulated','1.0','fp32','typed-graph','cpu','{"artifacts":[{"name":"model.onnx","role":"model-fp32","sha256":"328d8410e33763039f0bf1572c39d4ab091363bf73d292817c58be59b20a65bd","size_bytes":41955}],"inputs":[{"dtype":"float32","name":"image","range":null,"shape":[1,3,32,32]}],"lowering":"typed-graph","options":{"latency_ms":"9"},"placement":"cpu","precision":"fp32","runtime":"simulated","runtime_version":"1.0"}','fc419613bd22df73b181c2e91713c7e5896fdf715d7955623ce5ef68261ebc29','{"arch":"x86_64"}',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE facts (
	id INTEGER NOT NULL, 
	content TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (content)
);
INSERT INTO "facts" VALUES(1,'{"arch":"x86_64","container":"docker","cpu_count":2,"cpu_isa":["3dnowprefetch","abm","adx","aes","apic","arat","avx","avx2","avx512_bf16","avx512_bitalg","avx512_vbmi2","avx512_vnni","avx512_vpopcntdq","avx512bw","avx512cd","avx512dq","avx512f","avx512ifma","avx512vbmi","avx512vl","bmi1","bmi2","clflush","clflushopt","clwb","clzero","cmov","cmp_legacy","constant_tsc","cpuid","cr8_legacy","cx16","cx8","de","erms","extd_apicid","f16c","fma","fpu","fsgsbase","fsrm","fxsr","fxsr_opt","gfni","ht","hypervisor","invpcid","lahf_lm","lm","mca","mce","misalignsse","mmx","mmxext","movbe","msr","mtrr","nonstop_tsc","nopl","nx","osvw","pae","pat","pcid","pclmulqdq","pdpe1gb","pge","pni","popcnt","pse","pse36","rdpid","rdrand","rdseed","rdtscp","rep_good","sep","sha_ni","smap","smep","sse","sse2","sse4_1","sse4_2","sse4a","ssse3","syscall","topoext","tsc","tsc_adjust","tsc_deadline_timer","tsc_known_freq","umip","vaes","vme","vmmcall","vpclmulqdq","x2apic","xgetbv1","xsave","xsavec","xsaveerptr","xsaveopt","xsaves","xtopology"],"cpu_model":"AMD EPYC","hostname":"board","kernel":"6.1.0","label.local":"1","memory_bytes":25276502016,"nvidia_runtime":false,"os":"Debian GNU/Linux 12 (bookworm)","python":"3.11.7","runtime.onnxruntime":"1.32.0","runtime.simulated":"1.0","runtime.tensorrt_rtx":"1.7.1.116"}');
CREATE TABLE flag (
	measurement_id INTEGER NOT NULL, 
	idx INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	evidence TEXT NOT NULL, 
	PRIMARY KEY (measurement_id, idx), 
	FOREIGN KEY(measurement_id) REFERENCES measurement (id)
);
INSERT INTO "flag" VALUES(5,0,'INTERFERED','a thread waited for a CPU 86.2% of the time (limit 3%): other processes were running');
INSERT INTO "flag" VALUES(6,0,'INTERFERED','a thread waited for a CPU 86.1% of the time (limit 3%): other processes were running');
INSERT INTO "flag" VALUES(6,1,'PRECISION_NOT_HONOURED','asked fp16: 3 of 3 compute nodes ran in float32 (2 Conv, 1 Gemm)');
CREATE TABLE job (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	idempotency_key TEXT NOT NULL, 
	name TEXT NOT NULL, 
	model_name TEXT NOT NULL, 
	priority INTEGER NOT NULL, 
	measure TEXT NOT NULL, 
	build_limit_s INTEGER NOT NULL, 
	bench_limit_s INTEGER NOT NULL, 
	source TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	deadline_at TEXT, 
	cancel_asked_at TEXT, 
	timed_out_at TEXT, 
	retry_of INTEGER, 
	UNIQUE (idempotency_key), 
	FOREIGN KEY(retry_of) REFERENCES job (id)
);
INSERT INTO "job" VALUES(1,'8206c479-5de8-453a-ae27-d91b675c64ff','simulated','model',0,'{"max_s":2.0,"min_s":0.3,"mode":"latency","warmup_s":0.05}',1800,600,'apiVersion: jetfleet/v1
name: simulated
model: {onnx: model.onnx}
variants: {runtime: [simulated], placement: [cpu, cpu+cpu]}
options: {simulated: {latency_ms: 2}}
measure: {warmup_s: 0.05, seconds: 0.3, max_seconds: 2}
','2026-11-28T22:34:51.620+00:00',NULL,NULL,NULL,NULL);
INSERT INTO "job" VALUES(2,'3058b4cf-3451-4eb0-b4c8-363ffe676670','real','model',0,'{"max_s":2.0,"min_s":0.3,"mode":"latency","warmup_s":0.05}',1800,600,'apiVersion: jetfleet/v1
name: real
model: {onnx: model.onnx}
variants: {runtime: [onnxruntime], precision: [fp32, fp16]}
measure: {warmup_s: 0.05, seconds: 0.3, max_seconds: 2}
','2026-11-28T22:35:13.363+00:00',NULL,NULL,NULL,NULL);
INSERT INTO "job" VALUES(3,'6a62a47b-d957-4c69-81ed-956b200fd1c5','failing','model',0,'{"max_s":10.0,"min_s":1.0,"mode":"latency","warmup_s":0.5}',1800,600,'apiVersion: jetfleet/v1
name: failing
model: {onnx: model.onnx}
variants: {runtime: [simulated]}
options: {simulated: {fail: crash}}
','2026-11-28T22:35:29.575+00:00',NULL,NULL,NULL,NULL);
INSERT INTO "job" VALUES(4,'bf3c6fec-146a-4e89-8439-c1f10235354c','long','model',0,'{"max_s":50.0,"min_s":40.0,"mode":"latency","warmup_s":0.05}',1800,600,'apiVersion: jetfleet/v1
name: long
model: {onnx: model.onnx}
variants: {runtime: [simulated]}
options: {simulated: {latency_ms: 50, wall: 1}}
measure: {warmup_s: 0.05, seconds: 40, max_seconds: 50}
','2026-11-28T22:35:52.934+00:00',NULL,NULL,NULL,NULL);
INSERT INTO "job" VALUES(5,'b478563e-12bc-48a8-a976-ad12bc7243b4','bound','model',0,'{"max_s":10.0,"min_s":1.0,"mode":"latency","warmup_s":0.5}',1800,600,'apiVersion: jetfleet/v1
name: bound
model: {onnx: model.onnx}
variants: {runtime: [simulated], placement: [cpu, cpu+cpu]}
options: {simulated: {latency_ms: 9}}
','2026-11-28T22:35:59.204+00:00',NULL,NULL,NULL,NULL);
INSERT INTO "job" VALUES(6,'0a82ea80-f486-49be-a85b-ae3da4fd437a','waiting','model',0,'{"max_s":10.0,"min_s":1.0,"mode":"latency","warmup_s":0.5}',1800,600,'apiVersion: jetfleet/v1
name: waiting
model: {onnx: model.onnx}
variants: {runtime: [simulated]}
options: {simulated: {latency_ms: 7}}
targets:
  - any: {arch: x86_64}
','2026-11-28T22:36:02.573+00:00',NULL,NULL,NULL,NULL);
CREATE TABLE job_build (
	job_id INTEGER NOT NULL, 
	task_id INTEGER NOT NULL, 
	PRIMARY KEY (job_id, task_id), 
	FOREIGN KEY(job_id) REFERENCES job (id), 
	FOREIGN KEY(task_id) REFERENCES task (id)
);
INSERT INTO "job_build" VALUES(1,1);
INSERT INTO "job_build" VALUES(2,4);
INSERT INTO "job_build" VALUES(2,5);
INSERT INTO "job_build" VALUES(3,8);
INSERT INTO "job_build" VALUES(4,10);
INSERT INTO "job_build" VALUES(5,12);
CREATE TABLE measurement (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	task_id INTEGER NOT NULL, 
	attempt_token TEXT NOT NULL, 
	job_id INTEGER NOT NULL, 
	subject_idx INTEGER, 
	variant_id INTEGER, 
	engine_key TEXT, 
	device_id TEXT NOT NULL, 
	facts_id INTEGER NOT NULL, 
	measured_at TEXT NOT NULL, 
	provenance TEXT NOT NULL, 
	verdict TEXT NOT NULL, 
	n INTEGER NOT NULL, 
	p50_ms FLOAT, 
	p50_ms_low FLOAT, 
	p50_ms_high FLOAT, 
	p90_ms FLOAT, 
	p90_ms_low FLOAT, 
	p90_ms_high FLOAT, 
	p99_ms FLOAT, 
	p99_ms_low FLOAT, 
	p99_ms_high FLOAT, 
	p50_reason TEXT NOT NULL, 
	p90_reason TEXT NOT NULL, 
	p99_reason TEXT NOT NULL, 
	mean_ms FLOAT, 
	std_ms FLOAT, 
	min_ms FLOAT, 
	max_ms FLOAT, 
	throughput_per_s FLOAT, 
	window_s FLOAT NOT NULL, 
	warmup_s FLOAT NOT NULL, 
	warmup_n INTEGER NOT NULL, 
	processes INTEGER NOT NULL, 
	accuracy FLOAT, 
	accuracy_n INTEGER NOT NULL, 
	dla_time_share FLOAT, 
	samples_sha256 TEXT, 
	samples_bytes INTEGER, 
	FOREIGN KEY(task_id) REFERENCES task (id), 
	FOREIGN KEY(attempt_token) REFERENCES attempt (token), 
	FOREIGN KEY(job_id) REFERENCES job (id), 
	FOREIGN KEY(variant_id) REFERENCES variant (id), 
	FOREIGN KEY(engine_key) REFERENCES engine ("key"), 
	FOREIGN KEY(device_id) REFERENCES device (id), 
	FOREIGN KEY(facts_id) REFERENCES facts (id)
);
INSERT INTO "measurement" VALUES(1,2,'bec0ae4f33dea23c37854c98fd02b775',1,0,1,'985deeaa5f43d711acf6289bcc51eefeb653f56a757cec59189da7a34f3451c6','e4d1082ad74a442bafefe3bcfa459fdc',1,'2026-11-28T22:35:08.666+00:00','SIMULATED','VALID',440,1.999003,1.996284,2.001351,2.025891,2.022932,2.028419,2.046207,2.03999,2.06132,'','','',1.99969206363636353707e+00,2.04381116893529342359e-02,1.922011,2.06132,500.076995945835,0.879864508,0.152130265,76,1,NULL,0,NULL,'b8492f297fa7500b1e9603f3de3d4181783cc7ceb4de26d59423d678fba21e2a',3648);
INSERT INTO "measurement" VALUES(2,3,'b37cfcc6ab1b0f548f01e1878effa354',1,0,2,'985deeaa5f43d711acf6289bcc51eefeb653f56a757cec59189da7a34f3451c6','e4d1082ad74a442bafefe3bcfa459fdc',1,'2026-11-28T22:35:09.904+00:00','SIMULATED','VALID',372,1.998309,1.995401,2.000953,2.023783,2.021603,2.027683,2.046916,2.03999,2.06132,'','','',1.99908575537634414232e+00,2.01604788188883138344e-02,1.924554,2.06132,5.00228665684100121764e+02,0.743659901,0.152130265,76,1,NULL,0,NULL,'6785b8874f3dbc2ec1194816eb1296fa053395866297c437a1bba21f88875f90',3104);
INSERT INTO "measurement" VALUES(3,3,'b37cfcc6ab1b0f548f01e1878effa354',1,1,2,'985deeaa5f43d711acf6289bcc51eefeb653f56a757cec59189da7a34f3451c6','e4d1082ad74a442bafefe3bcfa459fdc',1,'2026-11-28T22:35:09.904+00:00','SIMULATED','VALID',372,1.998309,1.995401,2.000953,2.023783,2.021603,2.027683,2.046916,2.03999,2.06132,'','','',1.99908575537634414232e+00,2.01604788188883138344e-02,1.924554,2.06132,5.00228665684100121764e+02,0.743659901,0.152130265,76,1,NULL,0,NULL,'6785b8874f3dbc2ec1194816eb1296fa053395866297c437a1bba21f88875f90',3104);
INSERT INTO "measurement" VALUES(4,3,'b37cfcc6ab1b0f548f01e1878effa354',1,NULL,2,'985deeaa5f43d711acf6289bcc51eefeb653f56a757cec59189da7a34f3451c6','e4d1082ad74a442bafefe3bcfa459fdc',1,'2026-11-28T22:35:09.905+00:00','SIMULATED','VALID',744,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'a whole has no latency of its own: see its subjects','a whole has no latency of its own: see its subjects','a whole has no latency of its own: see its subjects',NULL,NULL,NULL,NULL,1.00045733136820024357e+03,0.743659901,0.152130265,152,1,NULL,0,NULL,NULL,NULL);
INSERT INTO "measurement" VALUES(5,6,'63afaab9cd4780bcbac9f0f847776aa7',2,0,3,'a22d86285b94bf6a98edbf7c5d72b3ed9595b6f676ef1c4ca9c98899d83b40ce','e4d1082ad74a442bafefe3bcfa459fdc',1,'2026-11-28T22:35:20.709+00:00','MEASURED','INTERFERED',795,0.187518,0.187287,0.187718,0.255198,0.24325,0.285222,28.343684,24.330448,30.597453,'','','',1.48616133710691822322e+00,5.19058039123780368129e+00,0.124986,37.201758,6.63432930444005933149e+02,1.19831254,0.198083861,117,2,NULL,0,NULL,'ae00a676f6d95dd0d18094c92bd6c40260d2ecc33866c761862e5d107d962545',6488);
INSERT INTO "measurement" VALUES(6,7,'170e2b872edd0612780123fb9c908fc3',2,0,4,'bd6bd55ab93d30daf64d62f644ddade1626908d9c39382fd05ebe8ec2e5e6eec','e4d1082ad74a442bafefe3bcfa459fdc',1,'2026-11-28T22:35:26.151+00:00','MEASURED','PRECISION_NOT_HONOURED',800,0.186997,0.186546,0.187338,0.246665,0.210723,0.264932,32.266085,24.34478,36.2584,'','','',1.47081574124999980845e+00,5.84314963667811060332e+00,0.124405,57.733157,6.79463509711599613185e+02,1.177399505,0.164304694,107,2,NULL,0,NULL,'02d1bc03592bbd9a6a3f818a91b024559af783dc5129503011991a88e8da8fe7',6528);
CREATE TABLE orphan (
	id INTEGER NOT NULL, 
	attempt_token TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	received_at TEXT NOT NULL, 
	outcome BLOB NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (attempt_token)
);
CREATE TABLE output_check (
	measurement_id INTEGER NOT NULL, 
	tensor TEXT NOT NULL, 
	passed BOOLEAN NOT NULL, 
	max_abs FLOAT, 
	max_rel FLOAT, 
	cosine FLOAT, 
	snr_db FLOAT, 
	top1_agreement FLOAT, 
	equal_share FLOAT, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (measurement_id, tensor), 
	FOREIGN KEY(measurement_id) REFERENCES measurement (id)
);
INSERT INTO "output_check" VALUES(1,'scores',1,0.0,0.0,9.99999999999999888977e-01,NULL,1.0,NULL,'|got - want| <= 0.0001 + 0.001 |want|');
INSERT INTO "output_check" VALUES(2,'scores',1,0.0,0.0,9.99999999999999888977e-01,NULL,1.0,NULL,'|got - want| <= 0.0001 + 0.001 |want|');
INSERT INTO "output_check" VALUES(3,'scores',1,0.0,0.0,9.99999999999999888977e-01,NULL,1.0,NULL,'|got - want| <= 0.0001 + 0.001 |want|');
INSERT INTO "output_check" VALUES(5,'scores',1,5.9604644775390625e-07,4.21571875000988e-06,9.99999999999940158978e-01,1.2734033700275685419e+02,1.0,NULL,'|got - want| <= 0.0001 + 0.001 |want|');
INSERT INTO "output_check" VALUES(6,'scores',1,4.532337188720703125e-04,6.76414965102894376151e-04,9.99999966148749419581e-01,7.07320147787237658593e+01,1.0,NULL,'cosine 1, at least 0.999 wanted');
CREATE TABLE round (
	measurement_id INTEGER NOT NULL, 
	idx INTEGER NOT NULL, 
	n INTEGER NOT NULL, 
	p50_ms FLOAT NOT NULL, 
	mean_ms FLOAT NOT NULL, 
	PRIMARY KEY (measurement_id, idx), 
	FOREIGN KEY(measurement_id) REFERENCES measurement (id)
);
INSERT INTO "round" VALUES(1,0,20,2.000981,2.00327615);
INSERT INTO "round" VALUES(1,1,20,2.002185,1.99906919999999987958e+00);
INSERT INTO "round" VALUES(1,2,20,2.001511,1.9999630500000002975e+00);
INSERT INTO "round" VALUES(1,3,20,1.997821,1.99346495);
INSERT INTO "round" VALUES(1,4,20,1.999003,2.0011602);
INSERT INTO "round" VALUES(1,5,20,1.990548,1.99517934999999968503e+00);
INSERT INTO "round" VALUES(1,6,20,1.998453,2.0022809999999995334e+00);
INSERT INTO "round" VALUES(1,7,20,1.99022,1.99501365);
INSERT INTO "round" VALUES(1,8,20,1.99351,2.00179279999999959471e+00);
INSERT INTO "round" VALUES(1,9,20,1.989409,1.993113);
INSERT INTO "round" VALUES(1,10,20,1.999491,1.99615);
INSERT INTO "round" VALUES(1,11,20,1.997723,1.99962085000000011625e+00);
INSERT INTO "round" VALUES(1,12,20,1.999602,1.99931570000000036202e+00);
INSERT INTO "round" VALUES(1,13,20,1.999004,2.00315590000000032233e+00);
INSERT INTO "round" VALUES(1,14,20,1.990255,1.99694105000000021732e+00);
INSERT INTO "round" VALUES(1,15,20,2.001781,2.00246115000000024508e+00);
INSERT INTO "round" VALUES(1,16,20,1.997044,2.00445885);
INSERT INTO "round" VALUES(1,17,20,2.008522,2.0085068);
INSERT INTO "round" VALUES(1,18,20,1.996197,1.9971929);
INSERT INTO "round" VALUES(1,19,20,1.994946,1.99458079999999959852e+00);
INSERT INTO "round" VALUES(1,20,20,2.002858,2.0036362);
INSERT INTO "round" VALUES(1,21,20,1.997948,2.00289185);
INSERT INTO "round" VALUES(2,0,20,2.000981,2.00327615);
INSERT INTO "round" VALUES(2,1,21,2.004042,2.00022290476190445218e+00);
INSERT INTO "round" VALUES(2,2,21,2.005169,1.99994176190476213861e+00);
INSERT INTO "round" VALUES(2,3,21,1.994224,1.99200585714285693939e+00);
INSERT INTO "round" VALUES(2,4,20,1.999003,2.00008585);
INSERT INTO "round" VALUES(2,5,21,1.990548,1.99668485714285681709e+00);
INSERT INTO "round" VALUES(2,6,20,1.998453,2.00479099999999954562e+00);
INSERT INTO "round" VALUES(2,7,21,1.99022,1.99438028571428604962e+00);
INSERT INTO "round" VALUES(2,8,20,1.993077,2.00068185000000031692e+00);
INSERT INTO "round" VALUES(2,9,21,1.987194,1.98940004761904742913e+00);
INSERT INTO "round" VALUES(2,10,21,2.001107,1.99825090476190458943e+00);
INSERT INTO "round" VALUES(2,11,21,1.997723,1.99795266666666671007e+00);
INSERT INTO "round" VALUES(2,12,21,1.999602,2.00209100000000050911e+00);
INSERT INTO "round" VALUES(2,13,20,2.002467,2.00234895000000046039e+00);
INSERT INTO "round" VALUES(2,14,21,1.992791,1.99612866666666644022e+00);
INSERT INTO "round" VALUES(2,15,21,2.001066,2.00063223809523860197e+00);
INSERT INTO "round" VALUES(2,16,20,2.010889,2.0068888);
INSERT INTO "round" VALUES(2,17,21,1.999645,1.99890161904761831657e+00);
INSERT INTO "round" VALUES(3,0,20,2.000981,2.00327615);
INSERT INTO "round" VALUES(3,1,21,2.004042,2.00022290476190445218e+00);
INSERT INTO "round" VALUES(3,2,21,2.005169,1.99994176190476213861e+00);
INSERT INTO "round" VALUES(3,3,21,1.994224,1.99200585714285693939e+00);
INSERT INTO "round" VALUES(3,4,20,1.999003,2.00008585);
INSERT INTO "round" VALUES(3,5,21,1.990548,1.99668485714285681709e+00);
INSERT INTO "round" VALUES(3,6,20,1.998453,2.00479099999999954562e+00);
INSERT INTO "round" VALUES(3,7,21,1.99022,1.99438028571428604962e+00);
INSERT INTO "round" VALUES(3,8,20,1.993077,2.00068185000000031692e+00);
INSERT INTO "round" VALUES(3,9,21,1.987194,1.98940004761904742913e+00);
INSERT INTO "round" VALUES(3,10,21,2.001107,1.99825090476190458943e+00);
INSERT INTO "round" VALUES(3,11,21,1.997723,1.99795266666666671007e+00);
INSERT INTO "round" VALUES(3,12,21,1.999602,2.00209100000000050911e+00);
INSERT INTO "round" VALUES(3,13,20,2.002467,2.00234895000000046039e+00);
INSERT INTO "round" VALUES(3,14,21,1.992791,1.99612866666666644022e+00);
INSERT INTO "round" VALUES(3,15,21,2.001066,2.00063223809523860197e+00);
INSERT INTO "round" VALUES(3,16,20,2.010889,2.0068888);
INSERT INTO "round" VALUES(3,17,21,1.999645,1.99890161904761831657e+00);
INSERT INTO "round" VALUES(5,0,159,0.187638,1.72534715723270437592e+00);
INSERT INTO "round" VALUES(5,1,159,0.187458,1.40327261635220112978e+00);
INSERT INTO "round" VALUES(5,2,159,0.187258,1.44265745283018853584e+00);
INSERT INTO "round" VALUES(5,3,159,0.187748,1.48560952830188663931e+00);
INSERT INTO "round" VALUES(5,4,159,0.187458,1.37391993081761021322e+00);
INSERT INTO "round" VALUES(6,0,160,0.186407,1.4609919875);
INSERT INTO "round" VALUES(6,1,160,0.186977,1.64855358125);
INSERT INTO "round" VALUES(6,2,160,0.187228,1.25897557499999979135e+00);
INSERT INTO "round" VALUES(6,3,160,0.187427,1.5378737625);
INSERT INTO "round" VALUES(6,4,160,0.186927,1.44768379999999985408e+00);
CREATE TABLE session (
	id TEXT NOT NULL, 
	device_id TEXT NOT NULL, 
	boot_id TEXT NOT NULL, 
	bench_domain TEXT NOT NULL, 
	agent_version TEXT NOT NULL, 
	started_at TEXT NOT NULL, 
	ended_at TEXT, 
	end_reason TEXT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(device_id) REFERENCES device (id)
);
INSERT INTO "session" VALUES('78b5961d9d5946a4b9c7dcaa0979d595','e4d1082ad74a442bafefe3bcfa459fdc','c7b44b1d-cc4b-40bd-bbf1-c4a29aa6e790','c7b44b1d-cc4b-40bd-bbf1-c4a29aa6e790/cpu','0.1.0','2026-11-28T22:34:48.837+00:00',NULL,NULL);
CREATE TABLE stage (
	measurement_id INTEGER NOT NULL, 
	idx INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	p50_ms FLOAT NOT NULL, 
	mean_ms FLOAT NOT NULL, 
	PRIMARY KEY (measurement_id, idx), 
	FOREIGN KEY(measurement_id) REFERENCES measurement (id)
);
CREATE TABLE subject (
	task_id INTEGER NOT NULL, 
	idx INTEGER NOT NULL, 
	variant_id INTEGER NOT NULL, 
	engine_key TEXT, 
	placement TEXT NOT NULL, 
	streams INTEGER NOT NULL, 
	batch INTEGER NOT NULL, 
	PRIMARY KEY (task_id, idx), 
	FOREIGN KEY(task_id) REFERENCES task (id), 
	FOREIGN KEY(variant_id) REFERENCES variant (id), 
	FOREIGN KEY(engine_key) REFERENCES engine ("key")
);
INSERT INTO "subject" VALUES(2,0,1,'985deeaa5f43d711acf6289bcc51eefeb653f56a757cec59189da7a34f3451c6','cpu',1,1);
INSERT INTO "subject" VALUES(3,0,2,'985deeaa5f43d711acf6289bcc51eefeb653f56a757cec59189da7a34f3451c6','cpu',1,1);
INSERT INTO "subject" VALUES(3,1,2,'985deeaa5f43d711acf6289bcc51eefeb653f56a757cec59189da7a34f3451c6','cpu',1,1);
INSERT INTO "subject" VALUES(6,0,3,'a22d86285b94bf6a98edbf7c5d72b3ed9595b6f676ef1c4ca9c98899d83b40ce','cpu',1,1);
INSERT INTO "subject" VALUES(7,0,4,'bd6bd55ab93d30daf64d62f644ddade1626908d9c39382fd05ebe8ec2e5e6eec','cpu',1,1);
INSERT INTO "subject" VALUES(9,0,5,'389d16a6bfe39aef84b0e6065cb86eb9684f0e30f9fea475d4e0f5f47a7cccbc','cpu',1,1);
INSERT INTO "subject" VALUES(11,0,6,'d343dc35a51be97430f46aba23e8e9f12d7d99f5101d8bc208eba412bb443a9f','cpu',1,1);
INSERT INTO "subject" VALUES(13,0,7,'379a69e4d1493201b17f81796b17c9192d8367d0530de7dc860116ae21d24ca9','cpu',1,1);
INSERT INTO "subject" VALUES(14,0,8,'379a69e4d1493201b17f81796b17c9192d8367d0530de7dc860116ae21d24ca9','cpu',1,1);
INSERT INTO "subject" VALUES(14,1,8,'379a69e4d1493201b17f81796b17c9192d8367d0530de7dc860116ae21d24ca9','cpu',1,1);
INSERT INTO "subject" VALUES(15,0,9,NULL,'cpu',1,1);
CREATE TABLE task (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	kind TEXT NOT NULL, 
	name TEXT NOT NULL, 
	state TEXT NOT NULL, 
	job_id INTEGER NOT NULL, 
	priority INTEGER NOT NULL, 
	time_limit_s INTEGER NOT NULL, 
	engine_key TEXT, 
	device_id TEXT, 
	conditions TEXT, 
	schedule TEXT, 
	because_of INTEGER, 
	created_at TEXT NOT NULL, 
	ended_at TEXT, 
	FOREIGN KEY(job_id) REFERENCES job (id), 
	FOREIGN KEY(engine_key) REFERENCES engine ("key"), 
	FOREIGN KEY(device_id) REFERENCES device (id), 
	FOREIGN KEY(because_of) REFERENCES task (id)
);
INSERT INTO "task" VALUES(1,'BUILD','simulated-fp32-b1-cpu','SUCCEEDED',1,0,1800,'985deeaa5f43d711acf6289bcc51eefeb653f56a757cec59189da7a34f3451c6',NULL,NULL,NULL,NULL,'2026-11-28T22:34:51.664+00:00','2026-11-28T22:34:59.951+00:00');
INSERT INTO "task" VALUES(2,'BENCH','simulated-fp32-b1-cpu','SUCCEEDED',1,0,600,NULL,'e4d1082ad74a442bafefe3bcfa459fdc',NULL,'ALONE',NULL,'2026-11-28T22:34:51.667+00:00','2026-11-28T22:35:08.669+00:00');
INSERT INTO "task" VALUES(3,'BENCH','simulated-fp32-b1-cpu+cpu','SUCCEEDED',1,0,600,NULL,'e4d1082ad74a442bafefe3bcfa459fdc',NULL,'CONCURRENT',NULL,'2026-11-28T22:34:51.669+00:00','2026-11-28T22:35:09.905+00:00');
INSERT INTO "task" VALUES(4,'BUILD','onnxruntime-fp32-b1-cpu','SUCCEEDED',2,0,1800,'a22d86285b94bf6a98edbf7c5d72b3ed9595b6f676ef1c4ca9c98899d83b40ce',NULL,NULL,NULL,NULL,'2026-11-28T22:35:13.365+00:00','2026-11-28T22:35:14.356+00:00');
INSERT INTO "task" VALUES(5,'BUILD','onnxruntime-fp16-b1-cpu','SUCCEEDED',2,0,1800,'bd6bd55ab93d30daf64d62f644ddade1626908d9c39382fd05ebe8ec2e5e6eec',NULL,NULL,NULL,NULL,'2026-11-28T22:35:13.379+00:00','2026-11-28T22:35:15.170+00:00');
INSERT INTO "task" VALUES(6,'BENCH','onnxruntime-fp32-b1-cpu','SUCCEEDED',2,0,600,NULL,'e4d1082ad74a442bafefe3bcfa459fdc',NULL,'ALONE',NULL,'2026-11-28T22:35:13.380+00:00','2026-11-28T22:35:20.710+00:00');
INSERT INTO "task" VALUES(7,'BENCH','onnxruntime-fp16-b1-cpu','SUCCEEDED',2,0,600,NULL,'e4d1082ad74a442bafefe3bcfa459fdc',NULL,'ALONE',NULL,'2026-11-28T22:35:13.381+00:00','2026-11-28T22:35:26.152+00:00');
INSERT INTO "task" VALUES(8,'BUILD','simulated-fp32-b1-cpu','FAILED',3,0,1800,'389d16a6bfe39aef84b0e6065cb86eb9684f0e30f9fea475d4e0f5f47a7cccbc',NULL,NULL,NULL,NULL,'2026-11-28T22:35:29.576+00:00','2026-11-28T22:35:50.611+00:00');
INSERT INTO "task" VALUES(9,'BENCH','simulated-fp32-b1-cpu','SKIPPED',3,0,600,NULL,'e4d1082ad74a442bafefe3bcfa459fdc',NULL,'ALONE',8,'2026-11-28T22:35:29.577+00:00','2026-11-28T22:35:50.612+00:00');
INSERT INTO "task" VALUES(10,'BUILD','simulated-fp32-b1-cpu','SUCCEEDED',4,0,1800,'d343dc35a51be97430f46aba23e8e9f12d7d99f5101d8bc208eba412bb443a9f',NULL,NULL,NULL,NULL,'2026-11-28T22:35:52.948+00:00','2026-11-28T22:35:53.716+00:00');
INSERT INTO "task" VALUES(11,'BENCH','simulated-fp32-b1-cpu','LEASED',4,0,600,NULL,'e4d1082ad74a442bafefe3bcfa459fdc',NULL,'ALONE',NULL,'2026-11-28T22:35:52.949+00:00',NULL);
INSERT INTO "task" VALUES(12,'BUILD','simulated-fp32-b1-cpu','READY',5,0,1800,'379a69e4d1493201b17f81796b17c9192d8367d0530de7dc860116ae21d24ca9',NULL,NULL,NULL,NULL,'2026-11-28T22:35:59.206+00:00',NULL);
INSERT INTO "task" VALUES(13,'BENCH','simulated-fp32-b1-cpu','WAITING',5,0,600,NULL,'e4d1082ad74a442bafefe3bcfa459fdc',NULL,'ALONE',NULL,'2026-11-28T22:35:59.206+00:00',NULL);
INSERT INTO "task" VALUES(14,'BENCH','simulated-fp32-b1-cpu+cpu','WAITING',5,0,600,NULL,'e4d1082ad74a442bafefe3bcfa459fdc',NULL,'CONCURRENT',NULL,'2026-11-28T22:35:59.207+00:00',NULL);
INSERT INTO "task" VALUES(15,'BENCH','simulated-fp32-b1-cpu','READY',6,0,600,NULL,NULL,'[{"fact":"arch","op":"=","values":["x86_64"]}]','ALONE',NULL,'2026-11-28T22:36:02.592+00:00',NULL);
CREATE TABLE timing_cache (
	id INTEGER NOT NULL, 
	class_key TEXT NOT NULL, 
	runtime TEXT NOT NULL, 
	runtime_version TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	made_at TEXT NOT NULL, 
	made_by TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (class_key, runtime, runtime_version, sha256), 
	FOREIGN KEY(made_by) REFERENCES attempt (token)
);
CREATE TABLE variant (
	id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	runtime TEXT NOT NULL, 
	precision TEXT NOT NULL, 
	batch INTEGER NOT NULL, 
	placement TEXT NOT NULL, 
	content TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (job_id, "key"), 
	FOREIGN KEY(job_id) REFERENCES job (id)
);
INSERT INTO "variant" VALUES(1,1,'simulated-fp32-b1-cpu','simulated','fp32',1,'cpu','{"artifacts":[{"name":"model.onnx","role":"model-fp32","sha256":"328d8410e33763039f0bf1572c39d4ab091363bf73d292817c58be59b20a65bd","size_bytes":41955},{"name":"image","role":"reference-input","sha256":"280aefcd953f9dc65160e0bc9c6ba079ce9c95549b9b8de7d75338a84707951a","size_bytes":12416},{"name":"scores","role":"reference-output","sha256":"2a2f36d1943f3508f7fc5f84e9d85484357407f52f32182571f07a501f1ab216","size_bytes":168}],"batch":1,"check":{"atol":0.0001,"min_agreement":1.0,"min_cosine":0.999,"rtol":0.001,"rule":"close"},"inputs":[{"dtype":"float32","name":"image","range":null,"shape":[1,3,32,32]}],"key":"simulated-fp32-b1-cpu","options":{"latency_ms":"2"},"placement":"cpu","precision":"fp32","runtime":"simulated"}');
INSERT INTO "variant" VALUES(2,1,'simulated-fp32-b1-cpu+cpu','simulated','fp32',1,'cpu+cpu','{"artifacts":[{"name":"model.onnx","role":"model-fp32","sha256":"328d8410e33763039f0bf1572c39d4ab091363bf73d292817c58be59b20a65bd","size_bytes":41955},{"name":"image","role":"reference-input","sha256":"280aefcd953f9dc65160e0bc9c6ba079ce9c95549b9b8de7d75338a84707951a","size_bytes":12416},{"name":"scores","role":"reference-output","sha256":"2a2f36d1943f3508f7fc5f84e9d85484357407f52f32182571f07a501f1ab216","size_bytes":168}],"batch":1,"check":{"atol":0.0001,"min_agreement":1.0,"min_cosine":0.999,"rtol":0.001,"rule":"close"},"inputs":[{"dtype":"float32","name":"image","range":null,"shape":[1,3,32,32]}],"key":"simulated-fp32-b1-cpu+cpu","options":{"latency_ms":"2"},"placement":"cpu+cpu","precision":"fp32","runtime":"simulated"}');
INSERT INTO "variant" VALUES(3,2,'onnxruntime-fp32-b1-cpu','onnxruntime','fp32',1,'cpu','{"artifacts":[{"name":"model.onnx","role":"model-fp32","sha256":"328d8410e33763039f0bf1572c39d4ab091363bf73d292817c58be59b20a65bd","size_bytes":41955},{"name":"image","role":"reference-input","sha256":"280aefcd953f9dc65160e0bc9c6ba079ce9c95549b9b8de7d75338a84707951a","size_bytes":12416},{"name":"scores","role":"reference-output","sha256":"2a2f36d1943f3508f7fc5f84e9d85484357407f52f32182571f07a501f1ab216","size_bytes":168}],"batch":1,"check":{"atol":0.0001,"min_agreement":1.0,"min_cosine":0.999,"rtol":0.001,"rule":"close"},"inputs":[{"dtype":"float32","name":"image","range":null,"shape":[1,3,32,32]}],"key":"onnxruntime-fp32-b1-cpu","options":{},"placement":"cpu","precision":"fp32","runtime":"onnxruntime"}');
INSERT INTO "variant" VALUES(4,2,'onnxruntime-fp16-b1-cpu','onnxruntime','fp16',1,'cpu','{"artifacts":[{"name":"image","role":"reference-input","sha256":"280aefcd953f9dc65160e0bc9c6ba079ce9c95549b9b8de7d75338a84707951a","size_bytes":12416},{"name":"scores","role":"reference-output","sha256":"2a2f36d1943f3508f7fc5f84e9d85484357407f52f32182571f07a501f1ab216","size_bytes":168},{"name":"model-fp16.onnx","role":"model-fp16","sha256":"9d24751341967842b37055c2da4cf999032e73a9a9319f5322c26854e547de41","size_bytes":21746}],"batch":1,"check":{"atol":0.0001,"min_agreement":1.0,"min_cosine":0.999,"rtol":0.001,"rule":"cosine"},"inputs":[{"dtype":"float32","name":"image","range":null,"shape":[1,3,32,32]}],"key":"onnxruntime-fp16-b1-cpu","options":{},"placement":"cpu","precision":"fp16","runtime":"onnxruntime"}');
INSERT INTO "variant" VALUES(5,3,'simulated-fp32-b1-cpu','simulated','fp32',1,'cpu','{"artifacts":[{"name":"model.onnx","role":"model-fp32","sha256":"328d8410e33763039f0bf1572c39d4ab091363bf73d292817c58be59b20a65bd","size_bytes":41955},{"name":"image","role":"reference-input","sha256":"280aefcd953f9dc65160e0bc9c6ba079ce9c95549b9b8de7d75338a84707951a","size_bytes":12416},{"name":"scores","role":"reference-output","sha256":"2a2f36d1943f3508f7fc5f84e9d85484357407f52f32182571f07a501f1ab216","size_bytes":168}],"batch":1,"check":{"atol":0.0001,"min_agreement":1.0,"min_cosine":0.999,"rtol":0.001,"rule":"close"},"inputs":[{"dtype":"float32","name":"image","range":null,"shape":[1,3,32,32]}],"key":"simulated-fp32-b1-cpu","options":{"fail":"crash"},"placement":"cpu","precision":"fp32","runtime":"simulated"}');
INSERT INTO "variant" VALUES(6,4,'simulated-fp32-b1-cpu','simulated','fp32',1,'cpu','{"artifacts":[{"name":"model.onnx","role":"model-fp32","sha256":"328d8410e33763039f0bf1572c39d4ab091363bf73d292817c58be59b20a65bd","size_bytes":41955},{"name":"image","role":"reference-input","sha256":"280aefcd953f9dc65160e0bc9c6ba079ce9c95549b9b8de7d75338a84707951a","size_bytes":12416},{"name":"scores","role":"reference-output","sha256":"2a2f36d1943f3508f7fc5f84e9d85484357407f52f32182571f07a501f1ab216","size_bytes":168}],"batch":1,"check":{"atol":0.0001,"min_agreement":1.0,"min_cosine":0.999,"rtol":0.001,"rule":"close"},"inputs":[{"dtype":"float32","name":"image","range":null,"shape":[1,3,32,32]}],"key":"simulated-fp32-b1-cpu","options":{"latency_ms":"50","wall":"1"},"placement":"cpu","precision":"fp32","runtime":"simulated"}');
INSERT INTO "variant" VALUES(7,5,'simulated-fp32-b1-cpu','simulated','fp32',1,'cpu','{"artifacts":[{"name":"model.onnx","role":"model-fp32","sha256":"328d8410e33763039f0bf1572c39d4ab091363bf73d292817c58be59b20a65bd","size_bytes":41955},{"name":"image","role":"reference-input","sha256":"280aefcd953f9dc65160e0bc9c6ba079ce9c95549b9b8de7d75338a84707951a","size_bytes":12416},{"name":"scores","role":"reference-output","sha256":"2a2f36d1943f3508f7fc5f84e9d85484357407f52f32182571f07a501f1ab216","size_bytes":168}],"batch":1,"check":{"atol":0.0001,"min_agreement":1.0,"min_cosine":0.999,"rtol":0.001,"rule":"close"},"inputs":[{"dtype":"float32","name":"image","range":null,"shape":[1,3,32,32]}],"key":"simulated-fp32-b1-cpu","options":{"latency_ms":"9"},"placement":"cpu","precision":"fp32","runtime":"simulated"}');
INSERT INTO "variant" VALUES(8,5,'simulated-fp32-b1-cpu+cpu','simulated','fp32',1,'cpu+cpu','{"artifacts":[{"name":"model.onnx","role":"model-fp32","sha256":"328d8410e33763039f0bf1572c39d4ab091363bf73d292817c58be59b20a65bd","size_bytes":41955},{"name":"image","role":"reference-input","sha256":"280aefcd953f9dc65160e0bc9c6ba079ce9c95549b9b8de7d75338a84707951a","size_bytes":12416},{"name":"scores","role":"reference-output","sha256":"2a2f36d1943f3508f7fc5f84e9d85484357407f52f32182571f07a501f1ab216","size_bytes":168}],"batch":1,"check":{"atol":0.0001,"min_agreement":1.0,"min_cosine":0.999,"rtol":0.001,"rule":"close"},"inputs":[{"dtype":"float32","name":"image","range":null,"shape":[1,3,32,32]}],"key":"simulated-fp32-b1-cpu+cpu","options":{"latency_ms":"9"},"placement":"cpu+cpu","precision":"fp32","runtime":"simulated"}');
INSERT INTO "variant" VALUES(9,6,'simulated-fp32-b1-cpu','simulated','fp32',1,'cpu','{"artifacts":[{"name":"model.onnx","role":"model-fp32","sha256":"328d8410e33763039f0bf1572c39d4ab091363bf73d292817c58be59b20a65bd","size_bytes":41955},{"name":"image","role":"reference-input","sha256":"280aefcd953f9dc65160e0bc9c6ba079ce9c95549b9b8de7d75338a84707951a","size_bytes":12416},{"name":"scores","role":"reference-output","sha256":"2a2f36d1943f3508f7fc5f84e9d85484357407f52f32182571f07a501f1ab216","size_bytes":168}],"batch":1,"check":{"atol":0.0001,"min_agreement":1.0,"min_cosine":0.999,"rtol":0.001,"rule":"close"},"inputs":[{"dtype":"float32","name":"image","range":null,"shape":[1,3,32,32]}],"key":"simulated-fp32-b1-cpu","options":{"latency_ms":"7"},"placement":"cpu","precision":"fp32","runtime":"simulated"}');
CREATE INDEX job_by_model ON job (model_name);
CREATE INDEX ix_device_session_id ON device (session_id);
CREATE INDEX task_by_job ON task (job_id);
CREATE INDEX task_by_state ON task (state, device_id, priority DESC, job_id, kind DESC, id);
CREATE UNIQUE INDEX one_live_build_per_engine ON task (engine_key) WHERE kind = 'BUILD' AND state IN ('WAITING', 'READY', 'LEASED');
CREATE INDEX subject_by_engine ON subject (engine_key);
CREATE INDEX ix_subject_variant_id ON subject (variant_id);
CREATE UNIQUE INDEX one_open_attempt_per_task ON attempt (task_id) WHERE state IN ('LEASED', 'RUNNING');
CREATE UNIQUE INDEX one_commit_per_task ON attempt (task_id) WHERE state = 'COMMITTED';
CREATE UNIQUE INDEX one_open_attempt_per_bench_domain ON attempt (bench_domain) WHERE state IN ('LEASED', 'RUNNING');
CREATE INDEX attempt_by_session ON attempt (session_id, state);
CREATE INDEX measurement_by_job ON measurement (job_id, verdict);
CREATE INDEX measurement_by_variant ON measurement (variant_id, device_id);
CREATE UNIQUE INDEX one_measurement_per_subject ON measurement (task_id, coalesce(subject_idx, -1));
CREATE VIEW v_results AS
SELECT m.id AS measurement_id, m.job_id, j.name AS job, j.model_name AS model, v.key AS variant, d.name AS device,
       v.runtime, coalesce(e.runtime_version, (
         SELECT e0.runtime_version FROM subject s0 JOIN engine e0 ON e0.key = s0.engine_key
         WHERE s0.task_id = m.task_id AND s0.idx = 0
       )) AS runtime_version,
       v.precision, v.batch, coalesce(s.placement, v.placement) AS placement, m.provenance, m.verdict, m.n,
       m.p50_ms, m.p50_ms_low, m.p50_ms_high, m.p90_ms, m.p99_ms, m.p99_ms_low, m.p99_ms_high, m.p99_reason,
       m.mean_ms, m.std_ms, m.min_ms, m.max_ms, m.throughput_per_s, m.accuracy, m.accuracy_n,
       m.warmup_s, m.window_s, m.processes,
       (SELECT group_concat(f.kind || ': ' || f.evidence, '; ') FROM flag f WHERE f.measurement_id = m.id) AS flags,
       (SELECT min(c.passed) FROM output_check c WHERE c.measurement_id = m.id) AS outputs_ok,
       m.measured_at, m.engine_key, m.samples_sha256, x.content AS facts,
       m.subject_idx AS subject_index, coalesce(k.schedule, 'ALONE') AS schedule,
       coalesce(json_extract(j.measure, '$.mode'), 'latency') AS mode, e.lowering, m.dla_time_share, m.p50_reason
FROM measurement m
JOIN job j ON j.id = m.job_id
JOIN device d ON d.id = m.device_id
JOIN facts x ON x.id = m.facts_id
LEFT JOIN variant v ON v.id = m.variant_id
LEFT JOIN engine e ON e.key = m.engine_key
LEFT JOIN task k ON k.id = m.task_id
LEFT JOIN subject s ON s.task_id = m.task_id AND s.idx = m.subject_idx;
CREATE VIEW v_rounds AS
SELECT r.measurement_id, m.job_id, v.key AS variant, d.name AS device, m.provenance, m.verdict,
       r.idx, r.n, r.p50_ms, r.mean_ms, m.subject_idx AS subject_index
FROM round r
JOIN measurement m ON m.id = r.measurement_id
JOIN device d ON d.id = m.device_id
LEFT JOIN variant v ON v.id = m.variant_id;
CREATE VIEW v_engines AS
SELECT e.key AS engine_key, e.runtime, e.runtime_version, e.precision, e.lowering, e.placement,
       e.sha256 IS NOT NULL AS built, e.sha256, e.size_bytes, e.build_s, e.power_mode, e.built_at,
       d.name AS built_on, e.class_key AS device_class, e.class_fields,
       coalesce(json_extract(e.report, '$.peak_rss_bytes'), a.peak_rss_bytes) AS peak_rss_bytes,
       json_extract(e.report, '$.peak_device_bytes') AS peak_device_bytes,
       json_extract(e.report, '$.device_memory_bytes') AS device_memory_bytes,
       json_extract(e.report, '$.tactics_skipped') AS tactics_skipped,
       json_array_length(e.report, '$.timing_cache.handed') AS timing_caches_handed,
       json_extract(e.report, '$.timing_cache.hits') AS timing_cache_hits,
       json_extract(e.report, '$.timing_cache.misses') AS timing_cache_misses,
       json_extract(e.report, '$.dla.layers_on_dla') AS layers_on_dla,
       json_extract(e.report, '$.dla.layers_on_gpu') AS layers_on_gpu,
       json_extract(e.report, '$.dla.subgraphs') AS dla_subgraphs,
       json_extract(e.report, '$.dla.fallbacks') AS dla_fallbacks,
       json_extract(e.report, '$.warnings') AS build_warnings
FROM engine e
LEFT JOIN attempt a ON a.token = e.built_by
LEFT JOIN device d ON d.id = a.device_id;
CREATE VIEW v_devices AS
SELECT d.id AS device_id, d.name AS device, d.hardware_serial, d.cordoned, d.first_seen_at, d.last_seen_at,
       s.boot_id, s.bench_domain, s.agent_version,
       json_extract(x.content, '$.arch') AS arch, json_extract(x.content, '$.os') AS os,
       json_extract(x.content, '$.cpu_model') AS cpu_model, json_extract(x.content, '$.cpu_count') AS cpu_count,
       json_extract(x.content, '$.memory_bytes') AS memory_bytes, json_extract(x.content, '$.sku') AS sku,
       json_extract(x.content, '$.jetpack') AS jetpack, json_extract(x.content, '$.power_mode') AS power_mode,
       x.content AS facts
FROM device d
JOIN facts x ON x.id = d.facts_id
LEFT JOIN session s ON s.id = d.session_id;
CREATE VIEW v_attempts AS
SELECT a.token AS attempt, a.task_id, k.kind, k.name AS task, k.job_id, a.number, a.state, d.name AS device,
       a.leased_at, a.started_at, a.ended_at, a.failure_kind, a.failure_message, a.phase, a.exit_code, a.signal,
       a.peak_rss_bytes,
       (SELECT l.sha256 FROM attempt_artifact l WHERE l.attempt_token = a.token AND l.role = 'log') AS log_sha256
FROM attempt a
JOIN task k ON k.id = a.task_id
JOIN device d ON d.id = a.device_id;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('job',6);
INSERT INTO "sqlite_sequence" VALUES('task',15);
INSERT INTO "sqlite_sequence" VALUES('measurement',6);
COMMIT;
