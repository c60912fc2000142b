import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { PinoInstrumentation } from '@opentelemetry/instrumentation-pino';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { wantsTracing } from './platform/config/tracing-environment.js';

// Loaded first, so the one place that can say it in a line instead of a stack trace.
if (Number.parseInt(process.versions.node, 10) < 22) {
  process.stderr.write(
    `Tapeline needs Node.js 22.12 or newer, this is ${process.version}. npm start brings its own; directly: node_modules/.bin/node\n`,
  );
  process.exit(2);
}

// The SDK would send metrics and logs to the same endpoint: Prometheus and stdout have them.
process.env.OTEL_METRICS_EXPORTER ??= 'none';
process.env.OTEL_LOGS_EXPORTER ??= 'none';

/** Loaded before everything else (`node --import`), so that http and pg can be instrumented. */
const sdk = wantsTracing(process.env)
  ? new NodeSDK({
      serviceName: process.env.OTEL_SERVICE_NAME ?? 'tapeline',
      instrumentations: [
        new HttpInstrumentation({
          ignoreIncomingRequestHook: (request) => /^\/(stream|ws|metrics|health|readyz)/.test(request.url ?? ''),
        }),
        new PgInstrumentation({ requireParentSpan: true }),
        new PinoInstrumentation({ disableLogSending: true }),
      ],
    })
  : undefined;
sdk?.start();

/** Sends what is still buffered; gives up after two seconds, as a dead collector must not hold the shutdown. */
export async function flushTracing(): Promise<void> {
  if (!sdk) return;
  const late = new Promise((resolve) => setTimeout(resolve, 2000).unref());
  await Promise.race([sdk.shutdown().catch(() => undefined), late]);
}
