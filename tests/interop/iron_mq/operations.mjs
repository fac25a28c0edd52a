// Every operation that IronMQ's client for Node has: `node operations.mjs HOST PORT PROJECT`. What it does not get as it
// should throws.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const { Client } = require("iron_mq");
const [host, port, project_id] = process.argv.slice(2);
const iron = new Client({ scheme: "http", host, port: Number(port), project_id, token: "guest" });
const name = `node ${Math.random()}`;
const queue = iron.queue(name);

// Most callbacks are called twice, the second time with what the first call returned: only the first counts.
function call(target, operation, ...options) {
  return new Promise((resolve, reject) => {
    target[operation](...options, (error, body) => (error == null ? resolve(body) : reject(error)));
  });
}

async function refused(pattern, ...what) {
  await assert.rejects(call(...what), (error) => pattern.test(error.message));
}

// Where it takes a member out of the answer, it takes it out of an error, too, and does not see the text.
await refused(/Unknown error/, queue, "info");
await refused(/Queue not found/, queue, "del_queue");
const made = await call(iron, "create_queue", name, { message_timeout: 30 });
assert.equal(made.queue?.message_timeout ?? made.message_timeout, 30);
await call(iron, "update_queue", name, { message_expiration: 3600 });
await call(queue, "update", { message_timeout: 40 });
const info = await call(queue, "info");
assert.deepEqual([info.name, info.message_timeout, info.message_expiration, info.size], [name, 40, 3600, 0]);
const listed = await call(iron, "queues", { prefix: "node ", per_page: 100 });
assert.ok(listed.some((one) => one.name === name));

const first = await call(queue, "post", "one");
const rest = await call(queue, "post", ["two", { body: "three", delay: 0 }]);
assert.match(first, /^[0-9]+$/);
const peeked = await call(queue, "peek", { n: 2 });
assert.deepEqual(peeked.map((message) => message.body), ["one", "two"]);
assert.equal((await call(queue, "peek", {})).id, first);
assert.equal((await call(queue, "msg_get", rest[1])).body, "three");

const reserved = await call(queue, "reserve", { timeout: 60, wait: 1 });
assert.deepEqual([reserved.id, reserved.reserved_count], [first, 1]);
await refused(/./, queue, "del", first, {});
const touched = await call(queue, "msg_touch", first, reserved.reservation_id, {});
assert.notEqual(touched.reservation_id, reserved.reservation_id);
await refused(/Reservation timed out/, queue, "msg_release", first, reserved.reservation_id, {});
await call(queue, "msg_release", first, touched.reservation_id, {});
const again = await call(queue, "get", { n: 1 });
assert.deepEqual([again.id, again.reserved_count], [first, 2]);
await call(queue, "del", first, { reservation_id: again.reservation_id });
await refused(/Unknown error/, queue, "msg_get", first);
await refused(/Message not found/, queue, "del", first, {});

const others = await call(queue, "get_n", { n: 5 });
assert.deepEqual(others.map((message) => message.id), rest);
await call(queue, "del_multiple", { reservation_ids: others });
const more = await call(queue, "post", ["four", "five", "six"]);
await call(queue, "del_multiple", { ids: more.slice(0, 2) });
assert.equal((await call(queue, "info")).size, 1);
await call(queue, "clear");
assert.equal((await call(queue, "info")).size, 0);

const pushing = iron.queue(`${name} pushes`);
const subscriber = (one) => ({ name: one, url: `ironmq:///${encodeURIComponent(name)}` });
await call(iron, "create_queue", `${name} pushes`, { type: "multicast", push: { subscribers: [subscriber("a")] } });
const names = async () => (await call(pushing, "info")).push.subscribers.map((one) => one.name);
await call(pushing, "add_subscribers", subscriber("b"));
assert.deepEqual(await names(), ["a", "b"]);
await call(pushing, "rm_subscribers", { name: "a" });
await call(pushing, "rpl_subscribers", [subscriber("c")]);
assert.deepEqual(await names(), ["c"]);
const pushed = await call(pushing, "post", "pushed");
assert.equal((await call(queue, "reserve", { wait: 30 })).body, "pushed");
const { subscribers: [status] } = await call(pushing, "msg_push_statuses", pushed);
assert.equal(status.name, "c");
await refused(/./, pushing, "del_msg_push_status", pushed, "none", "c");

await call(queue, "del_queue");
await call(pushing, "del_queue");
