// An issuer of workload tokens made by oauth2-mock-server: it signs, and serves the JWK Set over
// TLS. What a token says is in the request for it.
//   node issuer.js PORT TLS-KEY TLS-CERTIFICATE
// POST /token, form: grant_type=client_credentials&claims=<JSON object, laid over the payload>
'use strict';
const { OAuth2Server } = require('oauth2-mock-server');

async function main() {
  const [port, key, certificate] = process.argv.slice(2);
  const server = new OAuth2Server(key, certificate);
  await server.issuer.keys.generate('ES256');
  server.issuer.url = `https://127.0.0.1:${port}`;
  server.service.on('beforeTokenSigning', (token, request) => {
    Object.assign(token.payload, JSON.parse(request.body.claims || '{}'));
  });
  await server.start(Number(port), '127.0.0.1');
  console.log('ready');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
