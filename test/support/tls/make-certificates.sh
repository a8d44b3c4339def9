#!/bin/sh
# Makes the certificates of the tests anew: an authority, a server (localhost, 127.0.0.1, ::1) and a client, valid for
# a hundred years. The keys are public: nothing but tests may ever trust them. Needs openssl.
set -eu
cd "$(dirname "$0")"
days=36500
key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1.key.pem"; }

key authority
openssl req -x509 -new -key authority.key.pem -days $days -out authority.cert.pem \
  -subj '/CN=nestjs-krafka test authority' -addext 'keyUsage=critical,keyCertSign'

issue() {
  key "$1"
  openssl req -new -key "$1.key.pem" -subj "/CN=$2" |
    openssl x509 -req -CA authority.cert.pem -CAkey authority.key.pem -CAcreateserial -days $days \
      -extfile extensions.tmp -out "$1.cert.pem"
}
echo 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' >extensions.tmp
issue server localhost
echo 'extendedKeyUsage=clientAuth' >extensions.tmp
issue client 'nestjs-krafka test client'
openssl pkcs8 -topk8 -in client.key.pem -passout pass:tests-only -out client.encrypted-key.pem
rm -f extensions.tmp authority.cert.srl
