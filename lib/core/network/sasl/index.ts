export type { OAuthBearerToken } from './oauthbearer.js';
export type { SaslContext, SaslConversation, SaslMechanism } from './sasl-mechanism.js';
export type { OAuthBearerSaslOptions, PasswordSaslOptions, SaslOptions } from './sasl-options.js';
