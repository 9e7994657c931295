use port_for::{PortGuard, port_for};

struct Suite;

impl Suite {
    #[port_for("api")]
    fn method(&self, _: PortGuard) {
        self.helper(8080);
    }

    fn helper(&self, _port: u16) {}
}

#[port_for("api")]
fn free(self, _: PortGuard) {
    self.helper(8080);
}

fn main() {}
