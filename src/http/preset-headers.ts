import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { HeaderList } from './cors';

type HeadFields = OutgoingHttpHeaders | OutgoingHttpHeader[];

/** An answer that carries these headers, whoever writes it. What is set by name on the answer itself goes before them. */
export interface PresetResponse extends ServerResponse {
  /**
   * A list until the head is written: setting a score of headers one by one costs more than the rest of a short answer,
   * and whoever writes the head with nothing but a list can pass this one on, and leave none.
   */
  presetHeaders: HeaderList;
}

/** A class of its own for each server, since Express's prototype is to be put behind it. */
export function presetResponseClass(): typeof ServerResponse {
  return class AraResponse<Request extends IncomingMessage> extends ServerResponse<Request> {
    presetHeaders: HeaderList = [];

    override writeHead(status: number, reason?: string | HeadFields, fields?: HeadFields): this {
      const preset = this.presetHeaders;
      this.presetHeaders = [];
      for (let i = 0; i + 1 < preset.length; i += 2) {
        const name = preset[i] ?? '';
        if (!this.hasHeader(name)) this.setHeader(name, preset[i + 1] ?? '');
      }
      return typeof reason === 'string'
        ? super.writeHead(status, reason, fields)
        : super.writeHead(status, reason ?? fields);
    }
  };
}

/** Takes the headers out of an answer that nobody has set another one on; undefined: it is not that simple. */
export function takePresetHeaders(response: ServerResponse): HeaderList | undefined {
  if (!hasPreset(response) || response.headersSent || response.getHeaderNames().length > 0) return undefined;
  const { presetHeaders } = response;
  response.presetHeaders = [];
  return presetHeaders;
}

/** Leaves the headers to whoever writes the head. */
export function presetHeaders(response: ServerResponse, headers: HeaderList): void {
  if (!hasPreset(response)) throw new TypeError('The server was not created with presetResponseClass');
  response.presetHeaders = headers;
}

function hasPreset(response: ServerResponse): response is PresetResponse {
  return 'presetHeaders' in response;
}
