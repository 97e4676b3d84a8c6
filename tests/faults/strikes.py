"""What each fault of schedule.py does to a world, and how it ends."""

import threading

from nodes import gone
from processes import wait_for
from proxy import Stage


class Striker:
    """Carries out a plan: one thread for each lane. `problems`: faults that could not be made to
    happen or to end, which no run may have."""

    def __init__(self, world, plan, history):
        self.world, self.history = world, history
        self.done = []
        self.problems = []
        self.halt = threading.Event()
        self._database = threading.RLock()  # one at a time starts and stops PostgreSQL
        self._clock = world.clock
        self._lanes = [threading.Thread(target=self._strike, args=(list_of,), daemon=True)
                       for list_of in self._by_lane(plan)]

    @staticmethod
    def _by_lane(plan):
        return [[strike for strike in plan if strike.lane == lane]
                for lane in sorted({strike.lane for strike in plan})]

    def start(self):
        for lane in self._lanes:
            lane.start()

    def stop(self):
        """No new fault; what is under way ends."""
        self.halt.set()
        for lane in self._lanes:
            lane.join(300)
            if lane.is_alive():
                self.problems.append("a fault does not end")

    def _strike(self, strikes):
        for strike in strikes:
            if self.halt.wait(max(0.0, strike.at - self._clock())):
                return
            self.history.add("fault", begins=strike.name, **strike.arguments)
            try:
                getattr(self, strike.name.replace("-", "_"))(strike)
            except Exception as error:  # noqa: BLE001: told with the verdict
                self.problems.append(f"{strike}: {error!r}")
            self.history.add("fault", ends=strike.name)
            self.done.append(strike.name)

    def _last(self, strike):
        self.halt.wait(strike.lasts)

    def _node(self, strike):
        return self.world.nodes[strike.arguments["node"]]

    def _proxies(self, strike):
        return self.world.store.proxies[strike.arguments["node"]]

    # -- nodes --
    def kill_node(self, strike):
        node = self._node(strike)
        node.kill()
        self._last(strike)
        node.launch()
        self._ready(node)

    def kill_signer(self, strike):
        node = self._node(strike)
        signer = node.signer_pid() if node.running() else None
        node.kill_signer()
        if signer is not None:
            wait_for(lambda: gone(signer), 10, "the signer ends")

    def kill_everything(self, strike):
        with self._database:
            for node in self.world.nodes:
                node.kill()
            if self.world.store.kind == "postgres":
                self.world.store.pair.primary.kill()
            self._last(strike)
            if self.world.store.kind == "postgres":
                self.world.store.restart()
            for node in self.world.nodes:
                node.launch()
        self._ready(self._node(strike))

    def terminate_node(self, strike):
        node = self._node(strike)
        node.terminate()
        self._last(strike)
        node.launch()
        self._ready(node)

    def _ready(self, node):
        """As long as a start may take; it is no fault of the node if the store is away meanwhile."""
        try:
            wait_for(lambda: self.halt.is_set() or node.ready(), 30, "the node is ready", 0.1)
        except TimeoutError:
            pass

    def pause_node(self, strike):
        node = self._node(strike)
        node.pause()
        try:
            self._last(strike)
        finally:
            node.resume()

    pause_node_past_lease = pause_node

    def clock_ahead(self, strike):
        clock = self._node(strike).clock
        clock.set(strike.arguments["seconds"])
        self._last(strike)
        clock.set(0)

    clock_back = clock_ahead

    def disk_full(self, strike):
        disk = self.world.disks[strike.arguments["node"]]
        disk.fill()
        self._last(strike)
        disk.free()

    # -- PostgreSQL --
    def kill_postgres(self, strike):
        with self._database:
            self.world.store.pair.primary.kill()
            self._last(strike)
            self.world.store.restart()

    def stop_postgres(self, strike):
        with self._database:
            self.world.store.pair.primary.stop("fast")
            self._last(strike)
            self.world.store.restart()

    restart_postgres = stop_postgres

    def kill_backend(self, strike):
        with self._database:
            self.world.store.pair.primary.kill_backend(self.world.chance)
            wait_for(self.world.store.healthy, 60, "PostgreSQL has recovered", 0.1)

    def fail_over(self, strike):
        with self._database:
            self.world.store.pair.fail_over()
            self.world.store.pair.restore_standby()

    def standby_away(self, strike):
        """Commits wait; nobody knows of what."""
        with self._database:
            self.world.store.pair.standby.stop("immediate")
            self._last(strike)
            self.world.store.pair.standby.start()

    def database_full(self, strike):
        with self._database:
            self.world.database_disk.fill()
            self._last(strike)
            self.world.database_disk.free()
            self.world.store.mend()

    # -- what lies between --
    def cut(self, strike):
        for proxy in self._proxies(strike):
            proxy.cut()

    def cut_at_octet(self, strike):
        for proxy in self._proxies(strike):
            proxy.cut_after(strike.arguments["octets"])
        self._restore_after(strike)

    def cut_commit(self, strike):
        for proxy in self._proxies(strike):
            proxy.arm(Stage(strike.arguments["stage"]))
        self._restore_after(strike)

    def delay(self, strike):
        for proxy in self._proxies(strike):
            proxy.delay(strike.arguments["seconds"])
        self._restore_after(strike)

    def silence(self, strike):
        for proxy in self._proxies(strike):
            proxy.silence()
        self._restore_after(strike)

    silence_past_lease = silence

    def refuse(self, strike):
        for proxy in self._proxies(strike):
            proxy.refuse()
        self._restore_after(strike)

    def _restore_after(self, strike):
        self._last(strike)
        for proxy in self._proxies(strike):
            proxy.restore()
