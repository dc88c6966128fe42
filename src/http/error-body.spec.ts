import { BadRequestException, NotFoundException } from '@nestjs/common';
import { AraError, type ErrorReason } from '../notification/ara-error';
import { StoreUnavailableError } from '../notification/store-unavailable';
import { errorAnswer } from './error-body';

describe('errorAnswer', () => {
  it.each<[ErrorReason, number, string]>([
    ['VALIDATION_ERROR', 400, 'VALIDATION_ERROR'],
    ['INVALID_SHAPE', 422, 'VALIDATION_ERROR'],
    ['INVALID_ID', 400, 'INVALID_ID'],
    ['INVALID_TEMPLATE', 400, 'INVALID_TEMPLATE'],
    ['INVALID_JSON', 400, 'INVALID_JSON'],
    ['TENANT_REQUIRED', 400, 'TENANT_REQUIRED'],
    ['INVALID_TENANT', 400, 'INVALID_TENANT'],
    ['UNAUTHORIZED', 401, 'UNAUTHORIZED'],
    ['TENANT_ACCESS_DENIED', 403, 'TENANT_ACCESS_DENIED'],
    ['NOT_FOUND', 404, 'NOT_FOUND'],
    ['CHANNEL_NOT_FOUND', 404, 'CHANNEL_NOT_FOUND'],
    ['USER_NOT_CONNECTED', 404, 'USER_NOT_CONNECTED'],
    ['TEMPLATE_NOT_FOUND', 404, 'TEMPLATE_NOT_FOUND'],
    ['TENANT_NOT_FOUND', 404, 'TENANT_NOT_FOUND'],
    ['METHOD_NOT_ALLOWED', 405, 'METHOD_NOT_ALLOWED'],
    ['TEMPLATE_EXISTS', 409, 'TEMPLATE_EXISTS'],
    ['PAYLOAD_TOO_LARGE', 413, 'PAYLOAD_TOO_LARGE'],
    ['UNSUPPORTED_MEDIA_TYPE', 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['RATE_LIMITED', 429, 'RATE_LIMITED'],
    ['SHUTTING_DOWN', 503, 'SHUTTING_DOWN'],
  ])('tells %s as %i %s, unmasked in production too', (reason, status, code) => {
    expect(errorAnswer(new AraError(reason, 'said'), true)).toEqual({
      status,
      body: { error: { code, message: 'said' } },
    });
  });

  it.each<[ErrorReason, number, string]>([
    ['INTERNAL_ERROR', 500, 'Internal server error'],
    ['REDIS_ERROR', 500, 'Service temporarily unavailable'],
    ['CONFIG_ERROR', 500, 'Configuration error'],
    ['QUEUE_UNAVAILABLE', 503, 'Message queue error'],
    ['CLUSTER_ERROR', 503, 'Cluster communication error'],
  ])('masks the message of %s in production only', (reason, status, masked) => {
    const error = new AraError(reason, 'connect ECONNREFUSED 10.0.0.7:6379');
    expect(errorAnswer(error, true)).toEqual({ status, body: { error: { code: reason, message: masked } } });
    expect(errorAnswer(error, false).body.error.message).toBe('connect ECONNREFUSED 10.0.0.7:6379');
  });

  it('keeps what the caller needs: details and how long to wait', () => {
    const error = new AraError('QUEUE_UNAVAILABLE', 'down', {
      details: { notification_id: 'n1' },
      retryAfterSeconds: 5,
    });
    expect(errorAnswer(error, true).body).toEqual({
      error: {
        code: 'QUEUE_UNAVAILABLE',
        message: 'Message queue error',
        details: { notification_id: 'n1' },
        retry_after_seconds: 5,
      },
    });
  });

  it('understands stores that are away, exceptions of the framework and anything else', () => {
    const codeOf = (thrown: unknown): unknown[] => {
      const { status, body } = errorAnswer(thrown, true);
      return [status, body.error.code, body.error.message];
    };
    expect(codeOf(new StoreUnavailableError('redis', 'no'))).toEqual([
      500,
      'REDIS_ERROR',
      'Service temporarily unavailable',
    ]);
    expect(codeOf(new StoreUnavailableError('postgres', 'no'))).toEqual([
      500,
      'INTERNAL_ERROR',
      'Internal server error',
    ]);
    expect(codeOf(new NotFoundException('Cannot GET /x'))).toEqual([404, 'NOT_FOUND', 'Cannot GET /x']);
    expect(codeOf(new BadRequestException('bad'))).toEqual([400, 'VALIDATION_ERROR', 'bad']);
    expect(codeOf(new TypeError('x is undefined'))).toEqual([500, 'INTERNAL_ERROR', 'Internal server error']);
    expect(codeOf('a string')).toEqual([500, 'INTERNAL_ERROR', 'Internal server error']);
    expect(codeOf(undefined)).toEqual([500, 'INTERNAL_ERROR', 'Internal server error']);
  });
});
