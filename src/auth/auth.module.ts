import { Module } from '@nestjs/common';
import { ApiKeys } from './api-key';
import { TokenVerifier } from './token-verifier';

/** Who is calling: JWT for clients, API key for back ends. */
@Module({ providers: [TokenVerifier, ApiKeys], exports: [TokenVerifier, ApiKeys] })
export class AuthModule {}
