#!/bin/sh
# Makes the fixtures of this folder anew with the real notary CLI and notary-server: make.sh FOLDER_WITH_THE_BINARIES
set -eu
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
port=${PORT:-24943}
gun=dtr.example.org/dev/nginx
export NOTARY_ROOT_PASSPHRASE=golden-root NOTARY_TARGETS_PASSPHRASE=golden-targets
export NOTARY_SNAPSHOT_PASSPHRASE=golden-snapshot NOTARY_DELEGATION_PASSPHRASE=golden-delegation
cat > "$work/server.json" <<JSON
{"server":{"http_addr":"127.0.0.1:$port"},"trust_service":{"type":"local","key_algorithm":"ecdsa"},
 "logging":{"level":"error"},"storage":{"backend":"memory"}}
JSON
"$bin/notary-server" -config "$work/server.json" > "$work/server.log" 2>&1 &
server=$!
trap 'kill $server; rm -rf "$work"' EXIT
until curl -sf "http://127.0.0.1:$port/_notary_server/health" > "$work/health"; do sleep 0.1; done
notary() { "$bin/notary" -s "http://127.0.0.1:$port" -d "$work/trust" "$@" > "$work/cli.log" 2>&1 || { cat "$work/cli.log"; exit 1; }; }

cd "$work"
subject() { printf '/O=Golden & <Söhne>/CN=%s' "$1"; }
self_signed() { # NAME KEY-OPTIONS...
  name=$1; shift
  openssl req -x509 -utf8 -nodes -newkey "$@" -keyout "$name.key" -out "$name.pem" -days 3650 -subj "$(subject "$name")" 2> openssl.log
}
self_signed p224 ec -pkeyopt ec_paramgen_curve:secp224r1
self_signed p256 ec -pkeyopt ec_paramgen_curve:prime256v1
self_signed p384 ec -pkeyopt ec_paramgen_curve:secp384r1
self_signed p521 ec -pkeyopt ec_paramgen_curve:secp521r1
self_signed rsa2048 rsa:2048
self_signed rsa3072 rsa:3072
# The same certificate, written in ways that Go normalises.
sed 's/$/\r/' p256.pem > p256-crlf.pem
{ printf 'Bag Attributes\n    friendlyName: p256\n'; openssl x509 -in p256.pem -text 2> openssl.log; echo 'trailing text'; } > p256-text.pem
{ echo '-----BEGIN CERTIFICATE-----'; openssl x509 -in p256.pem -outform der | base64 -w 76; echo '-----END CERTIFICATE-----'; } > p256-wide.pem
printf '%s' "$(cat p256.pem)" > p256-unended.pem
certificates="p224 p256 p256-crlf p256-text p256-unended p256-wide p384 p521 rsa2048 rsa3072"

notary init "$gun"
notary key rotate "$gun" snapshot -r
for name in $certificates; do notary delegation add "$gun" "targets/$name" "$name.pem" --all-paths; done
notary delegation add "$gun" targets/releases p256.pem rsa2048.pem --paths v1 --paths v2
notary publish "$gun"
notary key import p256.key
notary key import rsa2048.key
printf 'an image manifest' > manifest
notary addhash -p "$gun" 'v1.0&<é>' 17 --sha256 "$(sha256sum manifest | cut -d' ' -f1)" --sha512 "$(sha512sum manifest | cut -d' ' -f1)" -r targets/releases
notary addhash -p "$gun" v2.0 17 --sha256 "$(sha256sum manifest | cut -d' ' -f1)" -r targets/rsa2048
printf '{"arch":"arm64","note":"é","sizes":[1,2]}' > custom.json
notary add -p "$gun" with-custom manifest --custom custom.json
"$bin/notary" -s "http://127.0.0.1:$port" -d "$work/trust" delegation list "$gun" > delegations.txt

tuf="http://127.0.0.1:$port/v2/$gun/_trust/tuf"
for version in 1 2; do curl -sf "$tuf/$version.root.json" > "$here/root-$version.golden.json" || rm -f "$here/root-$version.golden.json"; done
curl -sf "$tuf/targets.json" > "$here/targets.golden.json"
curl -sf "$tuf/targets/releases.json" > "$here/targets-releases.golden.json"
curl -sf "$tuf/targets/rsa2048.json" > "$here/targets-rsa2048.golden.json"
curl -sf "$tuf/snapshot.json" > "$here/snapshot.golden.json"
curl -sf "$tuf/timestamp.json" > "$here/timestamp.golden.json"
curl -sf "$tuf/snapshot.key" > "$here/snapshot-key.golden.json"
python3 - "$here" $certificates <<'PYTHON'
import json, re, sys
here, names = sys.argv[1], sys.argv[2:]
listed = {}
for line in open("delegations.txt"):
    found = re.match(r"\s*(?:(targets/\S+)\s+(?:\"\"\s+<all paths>|\S+)\s+)?.*?([0-9a-f]{64})", line)
    if found and found.group(1): listed[found.group(1)] = found.group(2)
roles = json.load(open(f"{here}/targets.golden.json"))["signed"]["delegations"]["roles"]
tuf = {role["name"]: role["keyids"][0] for role in roles}
entries = [{"name": name, "pem": open(f"{name}.pem", newline="").read(),
            "tufKeyId": tuf[f"targets/{name}"], "canonicalKeyId": listed[f"targets/{name}"]} for name in names]
with open(f"{here}/certificates.golden.json", "w") as out: json.dump(entries, out, indent=1); out.write("\n")
PYTHON
cat delegations.txt
