'use strict';

/**
 * Ends with 0 when the service in this container answers 200 at the path given, with 1 otherwise. Reads the port from the
 * environment only: where it comes from a TOML file, set SERVER_PORT as well.
 */
const { get } = require('node:http');

const [path = '/health/ready'] = process.argv.slice(2);
const { SERVER_HOST: host = '', SERVER_PORT: port = '' } = process.env;
const everywhere = ['', '0.0.0.0', '::'];
const url = { host: everywhere.includes(host) ? '127.0.0.1' : host, port: port === '' ? 8081 : port, path };

const end = (text, code) => {
  console.log(text);
  process.exit(code);
};
get({ ...url, timeout: 4_000 }, ({ statusCode }) => end(`${path} ${statusCode}`, statusCode === 200 ? 0 : 1))
  .on('timeout', () => end(`${path} no answer within 4 s`, 1))
  .on('error', (error) => end(`${path} ${error.code ?? error.message}`, 1));
