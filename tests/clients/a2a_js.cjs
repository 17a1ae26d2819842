// The SDK's client of JavaScript; its lines are those of a2a_0_3.py. NODE_PATH says where it is installed.
const readline = require("node:readline");
const { TaskState } = require("@a2a-js/sdk");
const { ClientFactory, ClientFactoryOptions } = require("@a2a-js/sdk/client");

const textOf = (parts) => (parts ?? []).map((part) => (part.content?.$case === "text" ? part.content.value : "")).join("");
const stateOf = (state) => TaskState[state].replace("TASK_STATE_", "").toLowerCase();

const aTask = (task) => ({
  event: "task",
  task: task.id,
  context: task.contextId,
  state: stateOf(task.status.state),
  text: textOf(task.status.message?.parts),
  artifacts: task.artifacts.map((artifact) => textOf(artifact.parts)),
});

function anEvent({ payload }) {
  switch (payload.$case) {
    case "task":
      return aTask(payload.value);
    case "artifactUpdate":
      return { event: "artifact", text: textOf(payload.value.artifact.parts) };
    case "statusUpdate": {
      const { state, message } = payload.value.status;
      return { event: "status", state: stateOf(state), text: textOf(message?.parts) };
    }
    default:
      throw new TypeError("The agent answers with tasks.");
  }
}

const aRequest = (action) => ({
  tenant: "",
  message: {
    messageId: action.id,
    contextId: action.context ?? "",
    taskId: "",
    role: 1,
    parts: [{ content: { $case: "text", value: action.text }, metadata: undefined, filename: "", mediaType: "" }],
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  },
  configuration: {
    acceptedOutputModes: [],
    taskPushNotificationConfig: undefined,
    returnImmediately: action.do === "begin",
  },
  metadata: undefined,
});

async function* results(client, action) {
  const task = { tenant: "", id: action.task, metadata: undefined };
  switch (action.do) {
    case "send":
    case "begin":
      yield aTask(await client.sendMessage(aRequest(action)));
      break;
    case "stream":
      for await (const response of client.sendMessageStream(aRequest(action))) yield anEvent(response);
      break;
    case "get":
      yield aTask(await client.getTask(task));
      break;
    case "cancel":
      yield aTask(await client.cancelTask(task));
      break;
    case "resubscribe":
      for await (const response of client.resubscribeTask(task)) yield anEvent(response);
  }
}

async function main(url, binding) {
  const options = ClientFactoryOptions.createFrom(ClientFactoryOptions.default, { preferredTransports: [binding] });
  const client = await new ClientFactory(options).createFromUrl(url);
  const say = (result) => process.stdout.write(`${JSON.stringify(result)}\n`);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    try {
      for await (const result of results(client, JSON.parse(line))) say(result);
    } catch (error) {
      say({ error: String(error.message) });
    }
    say({ over: true });
  }
}

main(...process.argv.slice(2));
