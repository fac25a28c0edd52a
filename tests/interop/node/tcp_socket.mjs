// A WebSocket's face on a plain TCP socket: stompjs expects the one, and Segue's STOMP port speaks the other.
import net from "node:net";

export class TcpSocket {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;

  binaryType = "arraybuffer";
  readyState = TcpSocket.CONNECTING;

  constructor(host, port) {
    this.url = `tcp://${host}:${port}/`;
    this.socket = net.connect({ host, port, noDelay: true });
    this.socket.on("connect", () => {
      this.readyState = TcpSocket.OPEN;
      this.onopen?.({});
    });
    this.socket.on("data", (data) => this.onmessage?.({ data: new Uint8Array(data).buffer }));
    this.socket.on("error", (error) => this.onerror?.(error));
    this.socket.on("close", (failed) => {
      this.readyState = TcpSocket.CLOSED;
      this.onclose?.({ code: failed ? 1006 : 1000, wasClean: !failed, reason: "" });
    });
  }

  send(data) {
    this.socket.write(data instanceof ArrayBuffer ? new Uint8Array(data) : data);
  }

  close() {
    this.readyState = TcpSocket.CLOSING;
    this.socket.end();
  }

  terminate() {
    this.socket.destroy();
  }
}
