//! Who has which port, in the model.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket {
    pub port: u16,
    pub family: Family,
    pub state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Listening,
    /// Of TCP: shut down, and so kept from all who do not share the port.
    Bound,
    Udp,
}

#[derive(Debug)]
pub struct Guard {
    pub id: String,
    pub port: u16,
    pub handoff: Handoff,
    /// One for each address that it is held at; the first is the one that is handed over.
    pub places: Vec<Place>,
    /// The ports that go with it, as guards of their own that nobody has.
    pub companions: Vec<Guard>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handoff {
    Held,
    Taken,
    Vacated,
    LetGo,
}

#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub family: Family,
    pub tcp: Option<State>,
    /// None: not asked for. False: gone.
    pub udp: Option<bool>,
}

impl Guard {
    pub fn sockets(&self) -> impl Iterator<Item = Socket> {
        self.all().flat_map(|guard| {
            guard.places.iter().flat_map(|place| {
                let udp = (place.udp == Some(true)).then_some(State::Udp);
                let states = [place.tcp, udp].into_iter().flatten();
                states.map(|state| Socket {
                    port: guard.port,
                    family: place.family,
                    state,
                })
            })
        })
    }

    /// Itself and its companions.
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.companions)
    }

    pub fn ports(&self) -> impl Iterator<Item = u16> {
        self.all().map(|guard| guard.port)
    }

    pub fn family(&self) -> Family {
        self.places[0].family
    }

    pub fn socket(&self, state: State) -> Socket {
        Socket {
            port: self.port,
            family: self.family(),
            state,
        }
    }
}
