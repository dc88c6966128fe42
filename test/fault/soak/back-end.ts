import { Agent, request } from 'node:http';
import type { AraProcess } from '../../support/ara-process';

const PATIENCE_MS = 20_000;
const CONNECTIONS = 8;

/** Posts over a few connections that it keeps. */
export class BackEnd {
  #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

  constructor(private readonly ara: AraProcess) {}

  /** The status, or `none`. */
  post(path: string, body: object): Promise<string> {
    const headers = { 'x-api-key': this.ara.env['API_KEY'], 'content-type': 'application/json' };
    const options = { method: 'POST', agent: this.#agent, headers, signal: AbortSignal.timeout(PATIENCE_MS) };
    return new Promise((resolve) => {
      const outgoing = request(`${this.ara.url}/api/v1/notifications/${path}`, options, (answer) => {
        answer
          .on('end', () => {
            resolve(String(answer.statusCode));
          })
          .on('error', () => {
            resolve('none');
          })
          .resume();
      });
      outgoing.on('error', () => {
        resolve('none');
      });
      outgoing.end(JSON.stringify(body));
    });
  }

  /** Lets go of its connections; the next post opens new ones. */
  end(): void {
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  }
}
