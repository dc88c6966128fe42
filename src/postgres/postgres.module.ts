import { Module } from '@nestjs/common';
import { PostgresService } from './postgres.service';

/** The PostgreSQL that the stores share. Nothing is connected or started until one of them is opened. */
@Module({ providers: [PostgresService], exports: [PostgresService] })
export class PostgresModule {}
