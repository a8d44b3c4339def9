export { authenticate, type SaslExchange } from './authenticate.js';
export { OAuthBearerMechanism, type OAuthBearerToken, type OAuthBearerTokenProvider } from './oauthbearer.js';
export { PlainMechanism } from './plain.js';
export type { SaslContext, SaslConversation, SaslMechanism } from './sasl-mechanism.js';
export type { OAuthBearerSaslOptions, PasswordSaslOptions, SaslOptions } from './sasl-options.js';
export { saslMechanism } from './sasl-settings.js';
export { ScramMechanism } from './scram.js';
