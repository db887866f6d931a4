package config

// SASL. This build has none of it yet: a key that would promise it stops the start.
const (
	SASLEnabledMechanisms                        Key = "sasl.enabled.mechanisms"
	SASLMechanismInterBrokerProtocol             Key = "sasl.mechanism.inter.broker.protocol"
	SASLJAASConfig                               Key = "sasl.jaas.config"
	SASLServerCallbackHandlerClass               Key = "sasl.server.callback.handler.class"
	SASLClientCallbackHandlerClass               Key = "sasl.client.callback.handler.class"
	SASLLoginClass                               Key = "sasl.login.class"
	SASLLoginCallbackHandlerClass                Key = "sasl.login.callback.handler.class"
	SASLServerMaxReceiveSize                     Key = "sasl.server.max.receive.size"
	SASLKerberosServiceName                      Key = "sasl.kerberos.service.name"
	SASLKerberosPrincipalToLocalRules            Key = "sasl.kerberos.principal.to.local.rules"
	SASLKerberosKinitCmd                         Key = "sasl.kerberos.kinit.cmd"
	SASLKerberosTicketRenewWindowFactor          Key = "sasl.kerberos.ticket.renew.window.factor"
	SASLKerberosTicketRenewJitter                Key = "sasl.kerberos.ticket.renew.jitter"
	SASLKerberosMinTimeBeforeRelogin             Key = "sasl.kerberos.min.time.before.relogin"
	SASLLoginRefreshWindowFactor                 Key = "sasl.login.refresh.window.factor"
	SASLLoginRefreshWindowJitter                 Key = "sasl.login.refresh.window.jitter"
	SASLLoginRefreshMinPeriodSeconds             Key = "sasl.login.refresh.min.period.seconds"
	SASLLoginRefreshBufferSeconds                Key = "sasl.login.refresh.buffer.seconds"
	SASLLoginConnectTimeoutMs                    Key = "sasl.login.connect.timeout.ms"
	SASLLoginReadTimeoutMs                       Key = "sasl.login.read.timeout.ms"
	SASLLoginRetryBackoffMs                      Key = "sasl.login.retry.backoff.ms"
	SASLLoginRetryBackoffMaxMs                   Key = "sasl.login.retry.backoff.max.ms"
	SASLOAuthBearerJWTRetrieverClass             Key = "sasl.oauthbearer.jwt.retriever.class"
	SASLOAuthBearerJWTValidatorClass             Key = "sasl.oauthbearer.jwt.validator.class"
	SASLOAuthBearerScope                         Key = "sasl.oauthbearer.scope"
	SASLOAuthBearerClientCredentialsClientID     Key = "sasl.oauthbearer.client.credentials.client.id"
	SASLOAuthBearerClientCredentialsClientSecret Key = "sasl.oauthbearer.client.credentials.client.secret"
	SASLOAuthBearerAssertionAlgorithm            Key = "sasl.oauthbearer.assertion.algorithm"
	SASLOAuthBearerAssertionClaimAud             Key = "sasl.oauthbearer.assertion.claim.aud"
	SASLOAuthBearerAssertionClaimExpSeconds      Key = "sasl.oauthbearer.assertion.claim.exp.seconds"
	SASLOAuthBearerAssertionClaimIss             Key = "sasl.oauthbearer.assertion.claim.iss"
	SASLOAuthBearerAssertionClaimJTIInclude      Key = "sasl.oauthbearer.assertion.claim.jti.include"
	SASLOAuthBearerAssertionClaimNbfSeconds      Key = "sasl.oauthbearer.assertion.claim.nbf.seconds"
	SASLOAuthBearerAssertionClaimSub             Key = "sasl.oauthbearer.assertion.claim.sub"
	SASLOAuthBearerAssertionFile                 Key = "sasl.oauthbearer.assertion.file"
	SASLOAuthBearerAssertionPrivateKeyFile       Key = "sasl.oauthbearer.assertion.private.key.file"
	SASLOAuthBearerAssertionPrivateKeyPassphrase Key = "sasl.oauthbearer.assertion.private.key.passphrase"
	SASLOAuthBearerAssertionTemplateFile         Key = "sasl.oauthbearer.assertion.template.file"
	SASLOAuthBearerScopeClaimName                Key = "sasl.oauthbearer.scope.claim.name"
	SASLOAuthBearerSubClaimName                  Key = "sasl.oauthbearer.sub.claim.name"
	SASLOAuthBearerTokenEndpointURL              Key = "sasl.oauthbearer.token.endpoint.url"
	SASLOAuthBearerJWKSEndpointURL               Key = "sasl.oauthbearer.jwks.endpoint.url"
	SASLOAuthBearerJWKSEndpointRefreshMs         Key = "sasl.oauthbearer.jwks.endpoint.refresh.ms"
	SASLOAuthBearerJWKSEndpointRetryBackoffMs    Key = "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms"
	SASLOAuthBearerJWKSEndpointRetryBackoffMaxMs Key = "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms"
	SASLOAuthBearerClockSkewSeconds              Key = "sasl.oauthbearer.clock.skew.seconds"
	SASLOAuthBearerExpectedAudience              Key = "sasl.oauthbearer.expected.audience"
	SASLOAuthBearerExpectedIssuer                Key = "sasl.oauthbearer.expected.issuer"
)

var saslRows = []Row{
	{SASLEnabledMechanisms, List, "GSSAPI", listOrEmpty(), PerBroker, Refused, "The mechanisms that clients may choose from."},
	{SASLMechanismInterBrokerProtocol, String, "GSSAPI", nil, PerBroker, Refused, "The mechanism between brokers."},
	{SASLJAASConfig, Password, None, nil, PerBroker, Refused, "Credentials, in Java's login configuration syntax."},
	{SASLServerCallbackHandlerClass, Class, None, nil, ReadOnly, Refused, "A plug-in that checks credentials."},
	{SASLClientCallbackHandlerClass, Class, None, nil, ReadOnly, Refused, "A plug-in that supplies credentials."},
	{SASLLoginClass, Class, None, nil, ReadOnly, Refused, "A plug-in that logs in."},
	{SASLLoginCallbackHandlerClass, Class, None, nil, ReadOnly, Refused, "A plug-in that supplies a login's credentials."},
	{SASLServerMaxReceiveSize, Int, "524288", nil, ReadOnly, NoEffect, "The largest message during authentication."},
	{SASLKerberosServiceName, String, None, nil, PerBroker, Refused, "The Kerberos name of the brokers."},
	{SASLKerberosPrincipalToLocalRules, List, "DEFAULT", listOrEmpty(), PerBroker, Refused, "How a Kerberos name becomes a principal."},
	{SASLKerberosKinitCmd, String, "/usr/bin/kinit", nil, PerBroker, NoEffect, "The path of kinit."},
	{SASLKerberosTicketRenewWindowFactor, Double, "0.8", nil, PerBroker, NoEffect, "Share of a ticket's life after which it is renewed."},
	{SASLKerberosTicketRenewJitter, Double, "0.05", nil, PerBroker, NoEffect, "Share of that time that is random."},
	{SASLKerberosMinTimeBeforeRelogin, Long, "60000", nil, PerBroker, NoEffect, "The shortest time between two renewals."},
	{SASLLoginRefreshWindowFactor, Double, "0.8", nil, PerBroker, NoEffect, "Share of a token's life after which it is renewed."},
	{SASLLoginRefreshWindowJitter, Double, "0.05", nil, PerBroker, NoEffect, "Share of that time that is random."},
	{SASLLoginRefreshMinPeriodSeconds, Short, "60", nil, PerBroker, NoEffect, "The shortest time between two renewals."},
	{SASLLoginRefreshBufferSeconds, Short, "300", nil, PerBroker, NoEffect, "How long before its end a token is renewed at the latest."},
	{SASLLoginConnectTimeoutMs, Int, None, nil, ReadOnly, NoEffect, "How long a connection to a token server may take."},
	{SASLLoginReadTimeoutMs, Int, None, nil, ReadOnly, NoEffect, "How long a token server may take to answer."},
	{SASLLoginRetryBackoffMs, Long, "100", nil, ReadOnly, NoEffect, "How long a failed login rests at first."},
	{SASLLoginRetryBackoffMaxMs, Long, "10000", nil, ReadOnly, NoEffect, "The longest that a failed login rests."},
	{SASLOAuthBearerJWTRetrieverClass, Class, "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever", nil, ReadOnly, Refused, "A plug-in that fetches tokens."},
	{SASLOAuthBearerJWTValidatorClass, Class, "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator", nil, ReadOnly, Refused, "A plug-in that checks tokens."},
	{SASLOAuthBearerScope, String, None, nil, ReadOnly, Refused, "The scope that tokens are asked for."},
	{SASLOAuthBearerClientCredentialsClientID, String, None, nil, ReadOnly, Refused, "The client id for a token server."},
	{SASLOAuthBearerClientCredentialsClientSecret, Password, None, nil, ReadOnly, Refused, "The client secret for a token server."},
	{SASLOAuthBearerAssertionAlgorithm, String, "RS256", oneOfFold("ES256", "RS256"), ReadOnly, NoEffect, "How an assertion is signed."},
	{SASLOAuthBearerAssertionClaimAud, String, None, nil, ReadOnly, NoEffect, "The assertion's audience."},
	{SASLOAuthBearerAssertionClaimExpSeconds, Int, "300", between(0, 86400), ReadOnly, NoEffect, "How long an assertion lasts."},
	{SASLOAuthBearerAssertionClaimIss, String, None, nil, ReadOnly, NoEffect, "The assertion's issuer."},
	{SASLOAuthBearerAssertionClaimJTIInclude, Boolean, "false", nil, ReadOnly, NoEffect, "Whether an assertion carries an id of its own."},
	{SASLOAuthBearerAssertionClaimNbfSeconds, Int, "60", between(0, 3600), ReadOnly, NoEffect, "How long before now an assertion begins to hold."},
	{SASLOAuthBearerAssertionClaimSub, String, None, nil, ReadOnly, NoEffect, "The assertion's subject."},
	{SASLOAuthBearerAssertionFile, String, None, nil, ReadOnly, Refused, "The file with an assertion."},
	{SASLOAuthBearerAssertionPrivateKeyFile, String, None, nil, ReadOnly, Refused, "The file with the key that signs assertions."},
	{SASLOAuthBearerAssertionPrivateKeyPassphrase, Password, None, nil, ReadOnly, Refused, "That key's password."},
	{SASLOAuthBearerAssertionTemplateFile, String, None, nil, ReadOnly, Refused, "The file with claims of assertions."},
	{SASLOAuthBearerScopeClaimName, String, "scope", nil, ReadOnly, NoEffect, "The claim that holds a token's scope."},
	{SASLOAuthBearerSubClaimName, String, "sub", nil, ReadOnly, NoEffect, "The claim that holds a token's subject."},
	{SASLOAuthBearerTokenEndpointURL, String, None, nil, ReadOnly, Refused, "Where tokens are fetched."},
	{SASLOAuthBearerJWKSEndpointURL, String, None, nil, ReadOnly, Refused, "Where the keys that sign tokens are fetched."},
	{SASLOAuthBearerJWKSEndpointRefreshMs, Long, "3600000", nil, ReadOnly, NoEffect, "How often those keys are fetched."},
	{SASLOAuthBearerJWKSEndpointRetryBackoffMs, Long, "100", nil, ReadOnly, NoEffect, "How long a failed fetch of keys rests at first."},
	{SASLOAuthBearerJWKSEndpointRetryBackoffMaxMs, Long, "10000", nil, ReadOnly, NoEffect, "The longest that a failed fetch of keys rests."},
	{SASLOAuthBearerClockSkewSeconds, Int, "30", nil, ReadOnly, NoEffect, "How far the clocks of issuer and broker may differ."},
	{SASLOAuthBearerExpectedAudience, List, "", listOrEmpty(), ReadOnly, Refused, "The audience that a token must name."},
	{SASLOAuthBearerExpectedIssuer, String, None, nil, ReadOnly, Refused, "The issuer that a token must name."},
}
