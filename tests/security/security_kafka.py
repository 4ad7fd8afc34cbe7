#!/usr/bin/env python3
"""word-count on a Kafka that asks for TLS, a name and rights: what is right works, what is wrong ends soon and says why.

usage: security_kafka.py --bin DIR --kafka KAFKA_SH [--port N] [CASE...]     (no CASE: all)

One broker for all cases, with an authorizer: a SASL_SSL listener (PLAIN, both SCRAM, OAUTHBEARER with unsecured tokens), an SSL
listener that asks for the client's certificate, and a plain one for this script alone. Keys are made by openssl, afresh.
Passwords reach the program through its environment or files, never through its command line, and no log may show one.
"""
import argparse, glob, os, re, secrets, shutil, signal, subprocess, sys, tempfile, time

SOON_S = 15  # a refusal must have ended the program by then
CONSUMED_S = 40


class Failed(Exception):
    pass


class World:
    def __init__(self, args):
        self.bin, self.kafka_sh, self.port = args.bin, args.kafka, args.port
        self.plain, self.sasl, self.mutual = (f"127.0.0.1:{self.port + n}" for n in (0, 3, 4))
        self.dir = tempfile.mkdtemp(prefix="leat-security-")
        jars = os.environ.get("KAFKA_JARS", os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")),
                                                         "leat/kafka-4.3.1"))
        self.here = os.path.exists(f"{jars}/.complete")
        self.broker = tuple(int(n) for f in glob.glob(f"{jars}/kafka_2.13-*.jar") for n in re.findall(r"\d+", f)[-3:-1])
        self.secret = {n: f"{n}-{secrets.token_hex(12)}" for n in ("plain", "scram", "key")}
        self.count = 0
        version = subprocess.run([f"{self.bin}/../tests/kafka_lines", "version"], check=True, capture_output=True, text=True)
        self.client = tuple(int(n) for n in re.findall(r"\d+", version.stdout)[:3])

    def path(self, name):
        return f"{self.dir}/{name}"

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), 0o600)
        return self.path(name)

    def kafka(self, *words):
        subprocess.run([self.kafka_sh, *words], env=self.kafka_env, check=True, stdout=subprocess.DEVNULL)

    def lines(self, *words):
        subprocess.run([f"{self.bin}/../tests/kafka_lines", words[0], self.plain, *map(str, words[1:])], check=True,
                       capture_output=True, text=True)

    # ---- keys ----

    def openssl(self, *words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.dir)

    def authority(self, name):
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days",
                     "2", "-subj", f"/CN={name}")

    def certificate(self, name, authority):
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj",
                     f"/CN={name}")
        extension = self.write(f"{name}.ext", "subjectAltName=IP:127.0.0.1\n")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
                     "-CAcreateserial", "-days", "2", "-out", f"{name}.pem", "-extfile", extension)

    def make_keys(self):
        self.authority("ca")
        self.authority("stranger-ca")
        for name, authority in (("broker", "ca"), ("client", "ca"), ("stranger", "stranger-ca")):
            self.certificate(name, authority)
        with open(self.path("broker.key")) as key, open(self.path("broker.pem")) as own, open(self.path("ca.pem")) as ca:
            self.write("broker.store", key.read() + own.read() + ca.read())
        self.write("key.password", self.secret["key"])
        self.openssl("pkcs8", "-topk8", "-in", "client.key", "-out", "client.locked.key", "-passout", "file:key.password")

    # ---- broker ----

    def start_broker(self):
        p, module = self.port, "org.apache.kafka.common.security"
        listeners = {"PLAINTEXT": p, "CONTROLLER": p + 1, "SECURE": p + 3, "MUTUAL": p + 4}
        address = [f"{name}://127.0.0.1:{port}" for name, port in listeners.items()]
        sasl = "listener.name.secure"
        lines = [
            f"listeners={','.join(address)}",
            f"advertised.listeners={','.join(a for a in address if not a.startswith('CONTROLLER'))}",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL,MUTUAL:SSL",
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
            f"{sasl}.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_plain=\"{self.secret['plain']}\";",
            f"{sasl}.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;",
            f"{sasl}.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;",
            f"{sasl}.oauthbearer.sasl.jaas.config={module}.oauthbearer.OAuthBearerLoginModule required "
            "unsecuredLoginStringClaim_sub=\"broker\" unsecuredValidatorRequiredScope=\"streams\";",
            f"ssl.keystore.type=PEM\nssl.keystore.location={self.path('broker.store')}",
            f"ssl.truststore.type=PEM\nssl.truststore.location={self.path('ca.pem')}",
            "listener.name.mutual.ssl.client.auth=required",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS\nallow.everyone.if.no.acl.found=true",
        ]
        scram = " ".join(f"--add-scram SCRAM-SHA-{n}=[name=scram,password={self.secret['scram']}]" for n in (256, 512))
        self.kafka_env = dict(os.environ, KAFKA_DATA=f"{self.dir}/kafka", KAFKA_PORT=str(p), KAFKA_EXTRA="\n".join(lines),
                              KAFKA_FORMAT=scram)
        self.kafka("format")
        self.kafka("start")

    def deny(self, *resources):
        """User plain may do nothing with these; everybody else everything."""
        self.kafka("tool", "org.apache.kafka.tools.AclCommand", "--bootstrap-server", self.plain, "--add", "--operation", "All",
                   "--resource-pattern-type", "prefixed", "--deny-principal", "User:plain", "--allow-principal", "User:*",
                   *resources)

    def prepare(self):
        self.make_keys()
        self.start_broker()
        self.deny("--topic", "notopic-", "--group", "nogroup-", "--transactional-id", "notransaction-")
        for topic in ("lines", "counts", "notopic-lines", "notopic-counts"):
            self.lines("create", topic, 4)
        self.lines("load", "lines", 2000, 7, self.path("expected"))
        self.write("plain.password", self.secret["plain"] + "\n")

    def close(self):
        self.kafka("stop")
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    # ---- the program ----

    def command(self, app, settings, *more, input="lines", output="counts"):
        self.count += 1
        pairs = [w for s in settings for w in ("--set", s)]
        return [f"{self.bin}/word-count", "--bootstrap-servers", self.sasl, "--input", input, "--output", output, "--eos",
                "--application-id", f"{app}-{self.count}", "--state-dir", self.path("state"), "--log", "trace", "--set",
                "auto.offset.reset=earliest", *pairs, *more]

    def run(self, name, command, env, seconds):
        out = self.path(f"{name}.log")
        with open(out, "w") as log:
            run = subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ, **env))
        try:
            status = run.wait(seconds)
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
            with open(out) as f:
                raise Failed(f"still running after {seconds} s; the end of its log:\n{f.read()[-2000:]}")
        with open(out) as f:
            return status, f.read()

    def works(self, name, settings, env={}, **more):
        status, log = self.run(name, self.command("app", settings, "--to-end", **more), env, CONSUMED_S)
        if status != 0:
            raise Failed(f"exit status {status}: {log[-2000:]}")
        if "tasks here" not in log:
            raise Failed("it did nothing")

    def refused(self, name, settings, texts, env={}, app="app", servers=None, status=1, **more):
        command = self.command(app, settings, **more)
        if servers:
            command[2] = servers
        began = time.time()
        got, log = self.run(name, command, env, SOON_S)
        last = log.strip().splitlines()[-1]
        if got != status:
            raise Failed(f"exit status {got}, wanted {status}: {log[-2000:]}")
        for text in texts:
            if not re.search(text, last):
                raise Failed(f"the error does not say \"{text}\": {last}")
        print(f"     {time.time() - began:.1f} s: {last}", flush=True)

    def check_secrets(self):
        logs = [p for p in glob.glob(f"{self.dir}/*.log") if not p.endswith(("kafka.log", "kafka.format.log"))]
        for path in logs:
            with open(path, errors="replace") as f:
                text = f.read()
            for name, secret in self.secret.items():
                if secret in text:
                    raise Failed(f"{os.path.basename(path)} shows the secret {name}")
        return len(logs)


def tls(w, ca="ca"):
    return [f"ssl.ca.location={w.path(ca + '.pem')}"]


def sasl(w, mechanism, user, password, ca="ca"):
    return ["security.protocol=SASL_SSL", f"sasl.mechanism={mechanism}", f"sasl.username={user}", f"sasl.password={password}",
            *tls(w, ca)]


def scram(w, bits=256):
    return sasl(w, f"SCRAM-SHA-{bits}", "scram", "${env:SCRAM_PASSWORD}"), {"SCRAM_PASSWORD": w.secret["scram"]}


def oauth(w, scope):
    return ["security.protocol=SASL_SSL", "sasl.mechanism=OAUTHBEARER", "enable.sasl.oauthbearer.unsecure.jwt=true",
            f"sasl.oauthbearer.config=principal=oauth scope={scope}", *tls(w)]


def mutual(w, certificate, key):
    return ["security.protocol=SSL", *tls(w), f"ssl.certificate.location={w.path(certificate)}",
            f"ssl.key.location={w.path(key)}", "ssl.key.password=${file:" + w.path("key.password") + "}"]


def plain(w):
    return sasl(w, "PLAIN", "plain", "${env:PLAIN_PASSWORD}"), {"PLAIN_PASSWORD": w.secret["plain"]}


def plain_right(w, name):
    w.works(name, sasl(w, "PLAIN", "plain", "${file:" + w.path("plain.password") + "}"))


def scram_right(w, name):
    for bits in (256, 512):
        if w.client >= (2, 6, 1) or w.broker < (4,):
            w.works(f"{name}-{bits}", *scram(w, bits))
        else: # it sends a wrong nonce (its #4895), which Kafka looks at since 4.0: the program must say so
            w.refused(f"{name}-{bits}", scram(w, bits)[0], ["uthentication", "2.6.1"], scram(w, bits)[1])
            print(f"     SCRAM-SHA-{bits} CANNOT WORK with librdkafka {'.'.join(map(str, w.client))} and this Kafka")


def oauth_right(w, name):
    w.works(name, oauth(w, "streams"))


def mutual_right(w, name):
    command = w.command("app", mutual(w, "client.pem", "client.locked.key"), "--to-end")
    command[2] = w.mutual
    status, log = w.run(name, command, {}, CONSUMED_S)
    if status != 0:
        raise Failed(f"exit status {status}: {log[-2000:]}")


def password_wrong(w, name):
    for mechanism, user in (("PLAIN", "plain"), ("SCRAM-SHA-256", "scram"), ("SCRAM-SHA-512", "nobody")):
        w.refused(f"{name}-{mechanism}", sasl(w, mechanism, user, "${env:PASSWORD}"), ["uthentication", "sasl"],
                  {"PASSWORD": "wrong"})


def mechanism_wrong(w, name):
    w.refused(name, sasl(w, "SCRAM-SHA-1", "x", "${env:PASSWORD}"), ["SCRAM-SHA-1"], {"PASSWORD": "wrong"})


def oauth_wrong(w, name):
    w.refused(name, oauth(w, "other"), ["uthentication|invalid", "sasl"])


def ca_wrong(w, name):
    w.refused(name, sasl(w, "PLAIN", "plain", "${env:PASSWORD}", ca="stranger-ca"), ["certificate", "ssl"],
              {"PASSWORD": w.secret["plain"]})


def host_wrong(w, name):
    settings, env = plain(w)
    w.refused(name, settings, ["certificate", "ssl"], env, servers=f"localhost:{w.port + 3}")


def no_tls(w, name):
    settings, env = plain(w)
    settings[0] = "security.protocol=SASL_PLAINTEXT"
    settings.append("leat.start.timeout.ms=5000")
    w.refused(name, settings, [f"127.0.0.1:{w.port + 3}"], env)


def mutual_wrong(w, name):
    w.refused(f"{name}-stranger", mutual(w, "stranger.pem", "stranger.key"), ["SSL|certificate", "ssl"], servers=w.mutual)
    w.refused(f"{name}-none", ["security.protocol=SSL", *tls(w)], ["SSL|certificate", "ssl"], servers=w.mutual)
    w.refused(f"{name}-password", mutual(w, "client.pem", "client.locked.key")[:-1] + ["ssl.key.password=${env:PASSWORD}"],
              ["ssl.key"], {"PASSWORD": "wrong"}, servers=w.mutual)


def rights_missing(w, name):
    settings, env = plain(w)
    for what, text, more in (("input", "notopic-lines", {"input": "notopic-lines"}),
                             ("output", "notopic-counts", {"output": "notopic-counts"}),
                             ("internal", "notopic-app", {"app": "notopic-app"}),
                             ("group", "nogroup-app", {"app": "nogroup-app"}),
                             ("transaction", "notransaction-app", {"app": "notransaction-app"})):
        w.refused(f"{name}-{what}", settings, [text, "uthoriz"], env, **more)


def rights_taken(w, name):
    """While it runs."""
    settings, env = plain(w)
    w.lines("create", "taken-lines", 4)
    w.lines("load", "taken-lines", 200, 7, w.path("expected"))
    command = w.command("app", settings, input="taken-lines")
    out = w.path(f"{name}.log")
    with open(out, "w") as log:
        run = subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ, **env))
    try:
        time.sleep(3)
        if run.poll() is not None:
            raise Failed(f"it ended by itself, status {run.returncode}")
        w.deny("--topic", "taken-")
        w.lines("load", "taken-lines", 200, 7, w.path("expected"))
        began = time.time()
        status = run.wait(SOON_S)
    except subprocess.TimeoutExpired:
        raise Failed(f"still running {SOON_S} s after its right was taken: {open(out).read()[-2000:]}")
    finally:
        run.kill()
        run.wait()
    last = open(out).read().strip().splitlines()[-1]
    if status != 1 or "taken-lines" not in last or "uthoriz" not in last:
        raise Failed(f"status {status}: {last}")
    print(f"     {time.time() - began:.1f} s: {last}", flush=True)


def on_command_line(w, name):
    """A secret in the list of processes is refused, whatever the client's name for it; what refers to one is taken."""
    for key in ("sasl.password", "ssl.key.password", "consumer.sasl.password", "sasl.oauthbearer.client.secret", "ssl.key.pem"):
        w.refused(f"{name}-{key}", [f"{key}=open-secret"], ["command line", re.escape(key), "env:"], status=2)
        with open(w.path(f"{name}-{key}.log")) as f:
            if "open-secret" in f.read():
                raise Failed(f"the refusal of {key} shows the secret")


CASES = {f.__name__.replace("_", "-"): f for f in (
    plain_right, scram_right, oauth_right, mutual_right, password_wrong, mechanism_wrong, oauth_wrong,
    ca_wrong, host_wrong, no_tls, mutual_wrong, rights_missing, rights_taken, on_command_line)}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--bin", required=True)
    p.add_argument("--kafka", required=True)
    p.add_argument("--port", type=int, default=39292)
    p.add_argument("cases", nargs="*", choices=[[], *CASES])
    args = p.parse_args()
    w, failures = World(args), 0
    if not w.here:
        print("NO KAFKA: security on a real broker is SKIPPED (tests/kafka/kafka.sh fetch)", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    try:
        w.prepare()
        for name in args.cases or CASES:
            began = time.time()
            try:
                CASES[name](w, name)
                print(f"ok   {name} ({time.time() - began:.1f} s)", flush=True)
            except Failed as e:
                failures += 1
                print(f"FAIL {name}: {e}", flush=True)
        print(f"ok   no secret in {w.check_secrets()} logs", flush=True)
    except Failed as e:
        failures += 1
        print(f"FAIL {e}", flush=True)
    finally:
        w.close()
    sys.exit(1 if failures else 0)


main()
