"""What all parts of one `Hatchet` share: configuration, connection, REST access."""

from typing import TYPE_CHECKING

from hatchet._run.io_thread import generation, io_thread
from hatchet._run.session import Session

if TYPE_CHECKING:
    from hatchet._run.rest import RestClient
    from hatchet.config import ClientConfig


class Client:
    """Opens the connection when it is first needed, and anew in a forked child."""

    def __init__(self, config: "ClientConfig") -> None:
        self.config = config
        self._session: Session | None = None
        self._rest: RestClient | None = None
        self._generation = generation()

    @property
    def session(self) -> Session:
        if self._session is None or self._generation != generation():
            self._generation = generation()
            self._session = Session(self.config, io_thread())
        return self._session

    def new_session(self) -> Session:
        """Another connection: a stream carries at most one worker."""
        return Session(self.config, io_thread())

    @property
    def rest(self) -> "RestClient":
        if self._rest is None:
            from hatchet._run.rest import RestClient

            self._rest = RestClient(self.config)
        return self._rest

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None and self._generation == generation():
            session.close()
        if self._rest is not None:
            self._rest.close()
