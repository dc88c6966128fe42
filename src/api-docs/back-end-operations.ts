import { z } from 'zod';
import { BatchRequest, BatchResponse } from '../rest/dto/batch.dto';
import {
  BROADCAST,
  SEND_TO_CHANNEL,
  SEND_TO_CHANNELS,
  SEND_TO_USER,
  SEND_TO_USERS,
  SendResponse,
  SendToChannelResponse,
  SendToChannelsResponse,
  SendToUsersResponse,
} from '../rest/dto/send.dto';
import {
  CreateTemplateRequest,
  RenderTemplateRequest,
  RenderTemplateResponse,
  TemplateListResponse,
  TemplateResponse,
  UpdateTemplateRequest,
} from '../rest/dto/template.dto';
import type { Operation, Parameter } from './operation';

interface Contents {
  readonly templated: z.ZodType;
  readonly direct: z.ZodType;
}

function contents({ templated, direct }: Contents, id: string): z.ZodType {
  return z
    .union([templated, direct])
    .meta({ id, description: 'By a template, which wins when `template_id` is there, or directly' });
}

function sending(path: string, id: string, summary: string, request: z.ZodType, response: z.ZodType): Operation {
  return {
    method: 'POST',
    path: `/api/v1/notifications/${path}`,
    tag: 'Notifications',
    id,
    summary,
    description:
      'Always 200 when the request is well-formed: `success` says whether somebody received it or it is kept for somebody.',
    access: 'key',
    ofOneTenant: true,
    request,
    answers: { 200: { description: 'What became of it', schema: response } },
    errors: ['VALIDATION_ERROR', 'QUEUE_UNAVAILABLE'],
  };
}

export const SENDING: readonly Operation[] = [
  sending('send', 'send', 'Send to a user', contents(SEND_TO_USER, 'SendRequest'), SendResponse),
  sending(
    'send-to-users',
    'sendToUsers',
    'Send to several users, 10,000 at most',
    contents(SEND_TO_USERS, 'SendToUsersRequest'),
    SendToUsersResponse,
  ),
  sending('broadcast', 'broadcast', 'Send to everybody', contents(BROADCAST, 'BroadcastRequest'), SendResponse),
  sending(
    'channel',
    'sendToChannel',
    "Send to a channel's subscribers",
    contents(SEND_TO_CHANNEL, 'SendToChannelRequest'),
    SendToChannelResponse,
  ),
  sending(
    'channels',
    'sendToChannels',
    'Send to the subscribers of several channels, 100 at most; each connection gets one copy',
    contents(SEND_TO_CHANNELS, 'SendToChannelsRequest'),
    SendToChannelsResponse,
  ),
  {
    ...sending('batch', 'sendBatch', 'Send up to 100 notifications', BatchRequest, BatchResponse),
    description: 'What is wrong with the form of any item refuses the request; everything else is told item by item.',
    errors: ['VALIDATION_ERROR'],
  },
];

const TEMPLATE_ID: Parameter = {
  name: 'id',
  in: 'path',
  description: "The template's id, bare or as `<tenant>:<id>`",
  example: 'order-shipped',
};
const templates = { tag: 'Templates', access: 'key', ofOneTenant: true } as const;
const oneTemplate = { ...templates, path: '/api/v1/templates/{id}', parameters: [TEMPLATE_ID] } as const;

export const TEMPLATES: readonly Operation[] = [
  {
    ...templates,
    method: 'POST',
    path: '/api/v1/templates',
    id: 'createTemplate',
    summary: 'Create a template',
    request: CreateTemplateRequest,
    answers: { 201: { description: 'Created', schema: TemplateResponse } },
    errors: ['INVALID_ID', 'INVALID_TEMPLATE', 'TEMPLATE_EXISTS'],
  },
  {
    ...templates,
    method: 'GET',
    path: '/api/v1/templates',
    id: 'listTemplates',
    summary: 'All templates, by id',
    answers: { 200: { description: 'The templates', schema: TemplateListResponse } },
  },
  {
    ...oneTemplate,
    method: 'GET',
    id: 'getTemplate',
    summary: 'A template',
    answers: { 200: { description: 'The template', schema: TemplateResponse } },
    errors: ['TEMPLATE_NOT_FOUND'],
  },
  {
    ...oneTemplate,
    method: 'PUT',
    id: 'updateTemplate',
    summary: 'Change some fields of a template',
    request: UpdateTemplateRequest,
    answers: { 200: { description: 'The template as it is now', schema: TemplateResponse } },
    errors: ['TEMPLATE_NOT_FOUND', 'INVALID_TEMPLATE'],
  },
  {
    ...oneTemplate,
    method: 'DELETE',
    id: 'deleteTemplate',
    summary: 'Delete a template',
    answers: { 204: { description: 'Deleted' } },
    errors: ['TEMPLATE_NOT_FOUND'],
  },
  {
    ...oneTemplate,
    method: 'POST',
    id: 'renderTemplate',
    summary: 'Fill a template without sending it',
    path: '/api/v1/templates/{id}/render',
    request: RenderTemplateRequest,
    answers: { 200: { description: 'What would be sent', schema: RenderTemplateResponse } },
    errors: ['TEMPLATE_NOT_FOUND', 'VALIDATION_ERROR'],
  },
];
