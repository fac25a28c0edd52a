// What a program with stompjs does, one function a scenario: `node scenarios.mjs SCENARIO VERSION URL`.
// The URL is tcp://HOST:PORT, or what a WebSocket is opened with.
// A scenario that fails throws; what it has seen is printed as JSON for the test to look at.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { TcpSocket } from "./tcp_socket.mjs";

const require = createRequire(`${process.cwd()}/`);
const { Client, Versions } = require("@stomp/stompjs");

const [scenario, version, url] = process.argv.slice(2);
const queue = `/queue/stompjs-${scenario}-${version}-${randomBytes(4).toString("hex")}`;
const topic = queue.replace("/queue/", "/topic/");
const PATIENCE_MS = 60_000;

function within(promise, what) {
  let timer;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited for ${what}`)), PATIENCE_MS);
  });
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
}

// A connection, with promises where stompjs has callbacks.
async function open(options = {}) {
  const { protocol, hostname, port } = new URL(url);
  const client = new Client({
    ...(protocol === "tcp:" ? { webSocketFactory: () => new TcpSocket(hostname, Number(port)) } : { brokerURL: url }),
    stompVersions: new Versions([version]),
    connectHeaders: { login: "guest", passcode: "guest", ...options.connectHeaders },
    reconnectDelay: options.reconnectDelay ?? 0,
    splitLargeFrames: options.splitLargeFrames ?? false,
    heartbeatIncoming: options.heartbeat ?? 0,
    heartbeatOutgoing: options.heartbeat ?? 0,
    debug: options.debug ?? (() => {}),
  });
  client.closed = new Promise((resolve) => (client.onWebSocketClose = resolve));
  client.failed = new Promise((resolve) => (client.onStompError = resolve));
  const connected = new Promise((resolve) => (client.onConnect = resolve));
  client.activate();
  client.greeting = await within(Promise.race([connected, client.failed]), "CONNECTED");
  return client;
}

// A subscription that is read message by message.
function subscribe(client, destination, headers = {}) {
  const arrived = [];
  const waiting = [];
  const subscription = client.subscribe(
    destination,
    (message) => (waiting.length ? waiting.shift()(message) : arrived.push(message)),
    headers,
  );
  subscription.next = () =>
    within(
      arrived.length ? Promise.resolve(arrived.shift()) : new Promise((resolve) => waiting.push(resolve)),
      "a message",
    );
  subscription.pending = () => arrived.length;
  return subscription;
}

let receipts = 0;

function confirmed(client, publish) {
  const receipt = `r-${++receipts}`;
  const done = new Promise((resolve) => client.watchForReceipt(receipt, resolve));
  publish({ receipt });
  return within(done, `receipt ${receipt}`);
}

function send(client, body, headers = {}, destination = queue) {
  return confirmed(client, (receipt) => client.publish({ destination, body, headers: { ...headers, ...receipt } }));
}

async function leave(client) {
  await within(client.deactivate(), "the end of the connection");
}

const scenarios = {
  async connects_and_disconnects() {
    const client = await open();
    assert.equal(client.greeting.command, "CONNECTED");
    assert.equal(client.greeting.headers.version ?? "1.0", version);
    await leave(client);
    await within(client.closed, "the end of the connection");
  },

  async is_told_of_a_wrong_password() {
    const client = await open({ connectHeaders: { passcode: "wrong" } });
    assert.equal(client.greeting.command, "ERROR");
    await within(client.closed, "the end of the connection");
  },

  async sends_and_receives() {
    const client = await open();
    const subscription = subscribe(client, queue);
    // stompjs escapes in 1.2 only, and takes what it has escaped itself, a backslash before a c, for a colon.
    const special = version === "1.2" ? "a:b\\d\ne" : "plain";
    await send(client, "größer", { special });
    const message = await subscription.next();
    assert.equal(message.body, "größer");
    assert.equal(message.headers.special, special);
    assert.equal(message.headers.destination, queue);
    assert.equal(message.headers.redelivered, "false");
    await leave(client);
  },

  async sends_and_receives_binary() {
    const client = await open();
    const subscription = subscribe(client, queue);
    const body = new Uint8Array(randomBytes(300_000));
    body[7] = 0;
    await confirmed(client, (receipt) =>
      client.publish({ destination: queue, binaryBody: body, headers: { ...receipt } }),
    );
    const message = await subscription.next();
    assert.deepEqual(Buffer.from(message.binaryBody), Buffer.from(body));
    await leave(client);
  },

  async acknowledges_one_by_one() {
    const client = await open();
    for (const body of ["1", "2", "3"]) await send(client, body);
    const subscription = subscribe(client, queue, { ack: "client-individual" });
    const messages = [await subscription.next(), await subscription.next(), await subscription.next()];
    await confirmed(client, (receipt) => messages[1].ack(receipt));
    await leave(client);
    const other = await open();
    const rest = subscribe(other, queue);
    assert.equal((await rest.next()).body, "1");
    assert.equal((await rest.next()).body, "3");
    await leave(other);
  },

  async acknowledges_all_before() {
    const client = await open();
    for (const body of ["1", "2", "3"]) await send(client, body);
    const subscription = subscribe(client, queue, { ack: "client" });
    const messages = [await subscription.next(), await subscription.next(), await subscription.next()];
    await confirmed(client, (receipt) => messages[1].ack(receipt));
    await leave(client);
    const other = await open();
    const left = await subscribe(other, queue).next();
    assert.equal(left.body, "3");
    assert.equal(left.headers.redelivered, "true");
    await leave(other);
  },

  async returns_a_message() {
    const client = await open();
    await send(client, "1");
    const subscription = subscribe(client, queue, { ack: "client-individual" });
    (await subscription.next()).nack();
    const again = await subscription.next();
    assert.equal(again.body, "1");
    assert.equal(again.headers.redelivered, "true");
    await confirmed(client, (receipt) => again.ack(receipt));
    await leave(client);
  },

  async commits_and_aborts() {
    const client = await open();
    const subscription = subscribe(client, queue);
    const aborted = client.begin();
    client.publish({ destination: queue, body: "never", headers: { transaction: aborted.id } });
    aborted.abort();
    const committed = client.begin();
    client.publish({ destination: queue, body: "together 1", headers: { transaction: committed.id } });
    client.publish({ destination: queue, body: "together 2", headers: { transaction: committed.id } });
    await send(client, "before");
    committed.commit();
    for (const body of ["before", "together 1", "together 2"]) assert.equal((await subscription.next()).body, body);
    await leave(client);
  },

  async beats_its_heart() {
    let beats = 0;
    let heard;
    const fourth = new Promise((resolve) => (heard = resolve));
    const debug = (line) => /<<< PONG/.test(line) && ++beats === 4 && heard();
    const client = await open({ heartbeat: 1000, debug });
    // Behind two silent intervals the broker would have closed. There are no beats in 1.0.
    if (version !== "1.0") await within(fourth, "four beats");
    assert.ok(client.connected);
    await send(client, "alive");
    await leave(client);
  },

  async asks_and_is_answered() {
    const server = await open();
    const requests = subscribe(server, queue);
    const client = await open();
    // stompjs gives what comes on a subscription that it does not know to this handler: RabbitMQ's temporary queues.
    const answer = new Promise((resolve) => (client.onUnhandledMessage = resolve));
    await send(client, "question", { "reply-to": "/temp-queue/answers", "correlation-id": "17" });
    const request = await requests.next();
    await send(server, "answer", { "correlation-id": "17" }, request.headers["reply-to"]);
    const message = await within(answer, "the answer");
    assert.equal(message.body, "answer");
    assert.equal(message.headers["correlation-id"], "17");
    await leave(client);
    await leave(server);
  },

  async keeps_a_durable_subscription() {
    const durable = { id: "reader", durable: "true", "auto-delete": "false" };
    const client = await open();
    const first = subscribe(client, topic, durable);
    await send(client, "1", {}, topic);
    assert.equal((await first.next()).body, "1");
    await leave(client);
    const producer = await open();
    await send(producer, "2", {}, topic);
    await leave(producer);
    const again = await open();
    assert.equal((await subscribe(again, topic, durable).next()).body, "2");
    await leave(again);
  },

  async connects_again() {
    const client = await open({ reconnectDelay: 10 });
    await send(client, "1");
    const again = new Promise((resolve) => (client.onConnect = resolve));
    client.forceDisconnect();
    await within(again, "the second CONNECTED");
    assert.equal((await subscribe(client, queue).next()).body, "1");
    await leave(client);
  },

  async spreads_a_frame_over_messages() {
    const client = await open({ splitLargeFrames: true });
    const subscription = subscribe(client, queue);
    const body = "größer".repeat(20_000);
    await send(client, body);
    assert.equal((await subscription.next()).body, body);
    await leave(client);
  },

  async is_told_of_an_error() {
    const client = await open();
    client.subscribe(queue, () => {}, { ack: "perhaps" });
    const error = await within(client.failed, "ERROR");
    assert.ok(error.headers.message);
    await within(client.closed, "the end of the connection");
  },

  async unsubscribes() {
    const client = await open();
    const subscription = subscribe(client, queue);
    await send(client, "1");
    assert.equal((await subscription.next()).body, "1");
    subscription.unsubscribe();
    await send(client, "2");
    assert.equal(subscription.pending(), 0);
    await leave(client);
  },
};

if (scenario === "--list") {
  console.log(JSON.stringify(Object.keys(scenarios)));
} else {
  await scenarios[scenario]();
  process.exit(0);
}
