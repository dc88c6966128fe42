import { Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { ErrorFilter } from './error.filter';

/** Errors of every route, in one form. */
@Module({
  providers: [ErrorFilter, { provide: APP_FILTER, useExisting: ErrorFilter }],
  exports: [ErrorFilter],
})
export class HttpModule {}
